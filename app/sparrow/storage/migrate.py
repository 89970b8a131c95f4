"""Bring the database to the tables of this version. Forward only; run by `sparrow migrate` before the API starts."""

from pathlib import Path

import sqlalchemy as sa

from sparrow import clock
from sparrow.storage import db


def upgrade() -> None:
    """Apply all migrations that are missing; safe to call at every start and by two processes at once."""
    from alembic import command

    with db.engine().connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current() -> str | None:
    """Return the revision of the database, None for an empty one."""
    with db.read() as tx:
        if not sa.inspect(tx).has_table("alembic_version"):
            return None
        return tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def head() -> str:
    """Return the newest revision this code knows, without importing Alembic."""
    return max(path.name.split("_")[0] for path in (_folder() / "versions").glob("[0-9]*.py"))


def wait(timeout: float = 60.0) -> None:
    """Return when the database is at `head()`; raise DatabaseError after `timeout` seconds."""
    import time

    deadline = clock.monotonic() + timeout
    problem: Exception | str = "it was never migrated"
    while clock.monotonic() < deadline:
        try:
            revision = current()
            if revision == head():
                return
            problem = f"it is at revision {revision}, this version needs {head()}"
        except Exception as error:  # not there yet, or busy: ask again
            problem = error
            db.reset()
        time.sleep(0.1)
    raise db.DatabaseError(f"The database is not ready: {problem}. Run `sparrow migrate`.")


def _folder() -> Path:
    return Path(__file__).parent / "migrations"


def _config():
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()))
    return config
