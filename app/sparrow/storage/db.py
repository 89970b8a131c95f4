"""Transactions on SQLite or PostgreSQL, with SQLAlchemy Core.

`read()` and `write()` are the only two ways in. Nobody returns from `write()` before the fsync, which writers share:
sqlite.py says how, and on PostgreSQL the server does it.

`write(soon=True)` returns before the fsync: any process sees the change and it survives a killed process, but a power
cut within the next `sqlite.SOON_SECONDS` may undo it. It is for what nobody was told is done yet, such as the row of a
question that is being answered. A later `write()` carries it to the disk; if none comes, a thread does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, Engine, make_url

from sparrow import settings

from .postgresql import PostgreSQL
from .prepared import Lookup, Prepared, rows
from .sqlite import DatabaseError, SQLite

__all__ = ["DatabaseError", "Lookup", "Prepared", "after_commit", "dialect", "engine", "insert", "read", "reset",
           "rows", "take_turns", "write"]

_local = threading.local()  # .write: the connection of this thread's open write transaction; .waiting: what follows it

_backend: SQLite | PostgreSQL | None = None
_backend_lock = threading.Lock()


def _get() -> SQLite | PostgreSQL:
    global _backend
    if _backend is None:
        with _backend_lock:
            if _backend is None:
                url = make_url(settings.get().database_url)
                _backend = SQLite(url) if url.get_backend_name() == "sqlite" else PostgreSQL(url)
    return _backend


@contextmanager
def read() -> Iterator[Connection]:
    """Yield a connection that sees one consistent state. Inside `write()` it is the writer's own."""
    current = getattr(_local, "write", None)
    if current is not None:
        yield current
        return
    with _get().read() as connection:
        yield connection


@contextmanager
def write(*, soon: bool = False) -> Iterator[Connection]:
    """Yield a connection for a short write transaction; on return it is on the disk (fsynced).

    With `soon`, it is committed on return and on the disk a moment later; see the module's docstring.
    A `write()` inside another one of the same thread joins it. An exception undoes this block only.
    No network I/O and no heavy work inside: other writers wait.
    """
    current = getattr(_local, "write", None)
    if current is not None:
        yield current
        return
    waiting: list[Callable[[], None]] = []
    with _get().write(soon) as connection:
        _local.write, _local.waiting = connection, waiting
        try:
            yield connection
        finally:
            _local.write = _local.waiting = None
    for action in waiting:
        action()


def after_commit(action: Callable[[], None]) -> None:
    """Call a function once this thread's open write transaction is done, never if it is undone; at once without one."""
    waiting = getattr(_local, "waiting", None)
    if waiting is None:
        action()
    else:
        waiting.append(action)


def dialect() -> str:
    """Return "sqlite" or "postgresql"."""
    return _get().engine.dialect.name


def engine() -> Engine:
    """Return the engine that may write; for migrations only."""
    return _get().engine


def insert(table: sa.Table):
    """Return an INSERT that knows ON CONFLICT, of the database in use."""
    if dialect() == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 2 MB that SQLite never needs

    return postgresql.insert(table)


def take_turns(tx: Connection, name: str) -> None:
    """Have others that take turns under this name wait for the end of this transaction: what it finds missing, nobody
    else adds meanwhile. SQLite's writers wait for each other in any case."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def reset() -> None:
    """Close all connections; the next transaction opens them by the settings of that moment."""
    global _backend
    with _backend_lock:
        if _backend is not None:
            _backend.dispose()
            _backend = None


def _forget() -> None:
    # A child of fork must not touch the parent's connections (sqlite.org/howtocorrupt.html, 2.6).
    global _backend, _backend_lock
    _backend = None
    _backend_lock = threading.Lock()
    _local.write = _local.waiting = None


os.register_at_fork(after_in_child=_forget)
