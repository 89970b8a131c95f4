"""Fixtures that every folder uses: a data folder of its own, a migrated database of either kind, a client."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests import postgres

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
PASSWORD = "sparrow-test-1"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real Dify exports and recordings, beside the checkout."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus folder is not beside this checkout")
    return CORPUS


@pytest.fixture(scope="session", autouse=True)
def _not_the_hosts_own(tmp_path_factory):
    """Keep tests that ask for no data folder from /data, which this host may have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARROW_DATA_DIR", str(tmp_path_factory.mktemp("nobodys")))
        yield


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    """Point Sparrow at an empty data folder for one test."""
    from sparrow import settings
    from sparrow.box import account
    from sparrow.storage import db

    folder = tmp_path / "data"
    (folder / "config").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("SPARROW_DATA_DIR", str(folder))
    monkeypatch.setenv("SPARROW_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SPARROW_DEV", "1")
    monkeypatch.delenv("SPARROW_DATABASE_URL", raising=False)
    settings.reset()
    db.reset()
    account._known.clear()
    account._backoff._failures.clear()
    yield folder
    db.reset()
    settings.reset()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """A PostgreSQL server of Debian's packages, on a socket; skips where it is not installed."""
    with postgres.server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, data_dir, monkeypatch) -> str:
    """A migrated, empty database: the test runs once on SQLite and once on PostgreSQL."""
    from sparrow import settings
    from sparrow.storage import db, migrate

    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").new_database()
        monkeypatch.setenv("SPARROW_DATABASE_URL", url)
        settings.reset()
        db.reset()
    migrate.upgrade()
    yield request.param
    db.reset()


@pytest.fixture
def sqlite_database(data_dir) -> Path:
    """A migrated SQLite database only; returns the data folder."""
    from sparrow.storage import migrate

    migrate.upgrade()
    return data_dir


@pytest.fixture
def app(sqlite_database):
    """The WSGI application on an empty database, set up with PASSWORD."""
    from sparrow.api import create_app
    from sparrow.apps import user
    from sparrow.box import account
    from sparrow.providers import store

    user.forget()  # what the process remembers of the database of the test before
    store.source().forget()
    account.create(PASSWORD)
    return create_app()


@pytest.fixture
def admin(app):
    """A signed-in console client: `admin.get("/apps")` is /console/api/apps, changes carry the CSRF token."""
    return AdminClient(app)


class AdminClient:
    """Flask's test client with the console's prefix and headers."""

    def __init__(self, app):
        self.http = app.test_client()
        assert self.http.post("/console/api/login", json={"password": PASSWORD}).status_code == 200
        self.csrf = self.http.get("/console/api/session").json["csrf_token"]

    def open(self, method: str, path: str, **kwargs):
        """Send a request."""
        headers = {"X-CSRF-Token": self.csrf, **kwargs.pop("headers", {})}
        return self.http.open(f"/console/api{path}", method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs):
        """Send a GET."""
        return self.open("GET", path, **kwargs)

    def post(self, path: str, **kwargs):
        """Send a POST."""
        return self.open("POST", path, **kwargs)

    def put(self, path: str, **kwargs):
        """Send a PUT."""
        return self.open("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs):
        """Send a PATCH."""
        return self.open("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs):
        """Send a DELETE."""
        return self.open("DELETE", path, **kwargs)


def free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago, and was not returned before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


_given: set[int] = set()


def need(*programs: str) -> None:
    """Skip the test when a program of the host is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*command: str, **kwargs) -> subprocess.CompletedProcess:
    """Run a command, its output captured as text."""
    return subprocess.run(command, capture_output=True, text=True, **kwargs)
