"""Commands about data and background jobs: migrate, worker."""

from __future__ import annotations

import argparse


def register(commands) -> None:
    """Add the commands of this module."""
    command = commands.add_parser(
        "migrate", help="bring the database to the tables of this version",
        description="Apply the migrations that are missing. Forward only, safe to repeat; the box does it at "
                    "every start.")
    command.set_defaults(run=_migrate)
    command = commands.add_parser(
        "worker", help="run background jobs until stopped",
        description="Run background jobs (indexing, batch runs, schedules) until stopped. Several may run, "
                    "also on other machines that reach the same database and Redis.")
    command.add_argument("--burst", action="store_true", help="end when no job is waiting")
    command.set_defaults(run=_worker)


def _migrate(_given: argparse.Namespace) -> None:
    from sparrow.apps import knowledge_use
    from sparrow.knowledge import keyword
    from sparrow.storage import migrate

    before = migrate.current()
    migrate.upgrade()
    keyword.stem_rows()
    knowledge_use.record_all()
    after = migrate.current()
    print(f"The database is at revision {after}." if before == after else
          f"Brought the database from revision {before or 'none'} to {after}.")


def _worker(given: argparse.Namespace) -> None:
    from sparrow.jobs import worker

    worker.main(burst=given.burst)
