"""Transactions on SQLite or PostgreSQL, with SQLAlchemy Core.

`read()` and `write()` are the only two ways in. On SQLite the writers of one process take turns on one
connection and share commits: whoever finishes while others wait leaves the transaction open for them, and the
last one commits for all. Each has its own savepoint, so that one failure undoes only itself, and nobody returns
from `write()` before the fsync. That is group commit without a thread of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, make_url

from sparrow import settings
from sparrow.errors import SparrowError

# Before this version several connections that write and checkpoint can corrupt a WAL database
# (sqlite.org/wal.html, "WAL-reset bug"; fixed in 3.51.3).
SQLITE_MINIMUM = (3, 51, 3)
BUSY_TIMEOUT_MS = 20_000
_BATCH_MAX = 64  # writers that share one commit
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"}


class DatabaseError(SparrowError):
    """The database cannot be used as it is; the message says what to do."""

    code, status = "database_error", 503


_local = threading.local()  # .write: the connection of this thread's open write transaction


class _SQLite:
    """One file, one write connection, a small pool of read-only ones."""

    def __init__(self, url: sa.URL):
        path = Path(url.database or "")
        _refuse_network_share(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._readers = _sqlite_engine(url, query_only=True)
        self._writers = _sqlite_engine(url, query_only=False)
        self._lock = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._batch: _Batch | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.connect() as connection:
            raw = connection.connection.dbapi_connection
            raw.execute("BEGIN")  # one snapshot for all statements of the block
            try:
                yield connection
            finally:
                raw.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self._count:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:
            with self._count:
                self._waiting -= 1
        try:
            connection, batch = self._join()
            first = batch.members == 0
            raw = connection.connection.dbapi_connection
            try:
                if not first:
                    raw.execute("SAVEPOINT member")
                yield connection
                if not first:
                    raw.execute("RELEASE member")
                batch.members += 1
            except BaseException:
                self._undo(raw, first)
                if self._batch is batch and self._waiting == 0:
                    self._commit()
                raise
            if self._waiting == 0 or batch.members >= _BATCH_MAX:
                self._commit()
        finally:
            self._lock.release()
        while not batch.done.wait(0.02):
            # The writer this batch was left open for gave up (an interrupt): finish it ourselves.
            with self._lock:
                if self._batch is batch and self._waiting == 0:
                    self._commit()
        if batch.error is not None:
            raise batch.error

    def _join(self) -> tuple[Connection, _Batch]:
        if self._connection is None:
            self._connection = self._writers.connect()
        if self._batch is None:
            self._connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE")
            self._batch = _Batch()
        return self._connection, self._batch

    def _undo(self, raw, first: bool) -> None:
        if first:
            self._batch = None
            with suppress(Exception):
                raw.execute("ROLLBACK")
            return
        try:
            raw.execute("ROLLBACK TO member")
            raw.execute("RELEASE member")
        except Exception as error:  # a full disk or an I/O error has already rolled back the whole transaction
            self._fail(error)

    def _commit(self) -> None:
        batch, self._batch = self._batch, None
        raw = self._connection.connection.dbapi_connection
        try:
            raw.execute("COMMIT")
        except Exception as error:
            with suppress(Exception):
                raw.execute("ROLLBACK")
            batch.error = error
        batch.done.set()

    def _fail(self, error: Exception) -> None:
        batch, self._batch = self._batch, None
        with suppress(Exception):
            self._connection.connection.dbapi_connection.execute("ROLLBACK")
        if batch is not None:
            batch.error = error
            batch.done.set()

    def dispose(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        self._readers.dispose()
        self._writers.dispose()

    @property
    def engine(self) -> Engine:
        return self._writers


class _Batch:
    """The members of one shared commit."""

    __slots__ = ("done", "error", "members")

    def __init__(self):
        self.done = threading.Event()
        self.error: Exception | None = None
        self.members = 0


class _PostgreSQL:
    """A pool; the server itself groups commits."""

    def __init__(self, url: sa.URL):
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        self.engine = sa.create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        self.engine.dispose()


_backend: _SQLite | _PostgreSQL | None = None
_backend_lock = threading.Lock()


def _get() -> _SQLite | _PostgreSQL:
    global _backend
    if _backend is None:
        with _backend_lock:
            if _backend is None:
                url = make_url(settings.get().database_url)
                _backend = _SQLite(url) if url.get_backend_name() == "sqlite" else _PostgreSQL(url)
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
def write() -> Iterator[Connection]:
    """Yield a connection for a short write transaction; on return it is on the disk (fsynced).

    A `write()` inside another one of the same thread joins it. An exception undoes this block only.
    No network I/O and no heavy work inside: other writers wait.
    """
    current = getattr(_local, "write", None)
    if current is not None:
        yield current
        return
    with _get().write() as connection:
        _local.write = connection
        try:
            yield connection
        finally:
            _local.write = None


def dialect() -> str:
    """Return "sqlite" or "postgresql"."""
    return _get().engine.dialect.name


def engine() -> Engine:
    """Return the engine that may write; for migrations only."""
    return _get().engine


def insert(table: sa.Table):
    """Return an INSERT that knows ON CONFLICT, of the database in use."""
    return (postgresql if dialect() == "postgresql" else sqlite).insert(table)


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
    _local.write = None


os.register_at_fork(after_in_child=_forget)


def _sqlite_engine(url: sa.URL, *, query_only: bool) -> Engine:
    from pysqlite3 import dbapi2

    if dbapi2.sqlite_version_info < SQLITE_MINIMUM:
        raise DatabaseError(
            f"SQLite {dbapi2.sqlite_version} can corrupt its file when several processes write; "
            f"{'.'.join(map(str, SQLITE_MINIMUM))} or newer is needed. Install the pysqlite3 wheel.")
    engine = sa.create_engine(
        url, module=dbapi2, isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        pool_size=1 if not query_only else 4, max_overflow=0 if not query_only else 28)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection, _record):
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise DatabaseError(f"The database file cannot use a write-ahead log (journal mode {mode}); "
                                "its folder must be on a local file system.")
        for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON",
                       "journal_size_limit=67108864", "cache_size=-4096", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _refuse_network_share(path: Path) -> None:
    """Refuse NFS, CIFS and the like: WAL needs memory shared by all processes that open the file."""
    best, kind = "", ""
    folder = os.path.realpath(path.parent)
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return
    for line in mounts:
        _, point, file_system, *_ = line.split(" ")
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, file_system
    if kind in _NETWORK_FILE_SYSTEMS:
        raise DatabaseError(f"{path} is on a network share ({kind}), where SQLite is not safe. "
                            "Use a local disk, or PostgreSQL by SPARROW_DATABASE_URL.")
