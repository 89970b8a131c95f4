"""The APIs on PostgreSQL: tests of others with another database under them."""

from __future__ import annotations

import pytest

from tests.api.service.test_contract import *  # noqa: F403
from tests.api.service.test_runs import *  # noqa: F403
from tests.api.test_versions import *  # noqa: F403


@pytest.fixture
def sqlite_database(data_dir, postgres_server, monkeypatch):
    """A migrated, empty PostgreSQL database in place of the other."""
    from sparrow import settings
    from sparrow.storage import db, migrate

    monkeypatch.setenv("SPARROW_DATABASE_URL", postgres_server.new_database())
    settings.reset()
    db.reset()
    migrate.upgrade()
    yield data_dir
    db.reset()


def test_it_is_postgresql(app):
    from sparrow.storage import db

    assert db.dialect() == "postgresql"
