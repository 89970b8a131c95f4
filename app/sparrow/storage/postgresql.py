"""Transactions on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection


class PostgreSQL:
    """A pool; the server itself groups commits."""

    def __init__(self, url: sa.URL):
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        self.engine = sa.create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
        sa.event.listen(self.engine, "connect", _without_nul)
        # One snapshot for all statements of a block; a word in BEGIN, so it costs no turn to the server.
        self._readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def write(self, soon: bool = False) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            if soon:  # on the disk within three times wal_writer_delay, 0.6 s
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            yield connection

    def dispose(self) -> None:
        self.engine.dispose()


def _without_nul(connection, _record) -> None:
    """Have a connection leave NUL characters out of text: PostgreSQL stores none, and what a model or a user wrote
    must not be lost for one."""
    from psycopg.types.string import StrDumper, StrDumperUnknown

    def without(dumper: type) -> type:
        return type(dumper.__name__, (dumper,), {"dump": lambda self, text: dumper.dump(self, text.replace("\0", ""))})

    for dumper in (StrDumper, StrDumperUnknown):  # as psycopg registers them: the last one is the default
        connection.adapters.register_dumper(str, without(dumper))
