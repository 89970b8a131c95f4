"""Transactions on one SQLite file.

The writers of one process take turns on one connection and share commits: whoever finishes while others wait leaves
the transaction open for them, and the last one commits for all. Each has its own savepoint, so that one failure undoes
only itself, and nobody returns from `write()` before the fsync. That is group commit without a thread of its own.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from sparrow.errors import SparrowError

from .prepared import wrapped

log = logging.getLogger(__name__)

# Before this version several connections that write and checkpoint can corrupt a WAL database
# (sqlite.org/wal.html, "WAL-reset bug"; fixed in 3.51.3).
SQLITE_MINIMUM = (3, 51, 3)
BUSY_TIMEOUT_MS = 20_000
SOON_SECONDS = 0.05
_AWAKE_SECONDS = 1.0  # how long the thread that syncs looks for more before it has to be woken
_BATCH_MAX = 64  # writers that share one commit
_READERS = 4  # read connections kept open
# Of each connection. The system caches the file as well: more of it here was measured to save no time.
_CACHE_KB = 1024
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"}


class DatabaseError(SparrowError):
    """The database cannot be used as it is; the message says what to do."""

    code, status = "database_error", 503


class SQLite:
    """One file, one write connection, a few read-only ones that are kept open between reads."""

    def __init__(self, url: sa.URL):
        path = Path(url.database or "")
        _refuse_network_share(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._readers = _engine(url, query_only=True)
        self._writers = _engine(url, query_only=False)
        self._resting: list[Connection] = []
        self._lock = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._batch: _Batch | None = None
        self._full = True  # what the connection's PRAGMA synchronous is
        self._tail = Tail(f"{path}-wal")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        try:
            connection = self._resting.pop()
        except IndexError:
            connection = self._readers.connect()
        raw = connection.connection.dbapi_connection
        sound = False
        try:
            raw.execute("BEGIN")  # one snapshot for all statements of the block
            yield connection
            sound = True
        finally:
            try:
                raw.execute("COMMIT")
            except self._readers.dialect.loaded_dbapi.Error:  # it has ended too where a damaged page was met
                sound = False
            if sound and len(self._resting) < _READERS:
                self._resting.append(connection)
            else:
                connection.close()

    @contextmanager
    def write(self, soon: bool = False) -> Iterator[Connection]:
        with self._count:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:
            with self._count:
                self._waiting -= 1
        try:
            connection, batch = self._join(soon)
            first = batch.members == 0
            raw = connection.connection.dbapi_connection
            try:
                if not first:
                    self._run(raw, "SAVEPOINT member")
                yield connection
                if not first:
                    self._run(raw, "RELEASE member")
                batch.members += 1
            except BaseException:
                self._undo(raw, first)
                if self._batch is batch and self._waiting == 0:
                    self._commit()
                raise
            if self._waiting == 0 or batch.members >= _BATCH_MAX:
                self._commit()
            elif batch.done is None:
                batch.done = threading.Event()
        finally:
            self._lock.release()
        while batch.done is not None and not batch.done.wait(0.02):
            # The writer this batch was left open for gave up (an interrupt): finish it ourselves.
            with self._lock:
                if self._batch is batch and self._waiting == 0:
                    self._commit()
        if batch.error is not None:
            raise batch.error

    def _join(self, soon: bool) -> tuple[Connection, _Batch]:
        if self._connection is None:
            self._connection = self._writers.connect()
        if self._batch is not None and self._batch.soon and not soon:
            self._commit()  # costs no fsync, and how to commit cannot change within a transaction
        if self._batch is None:
            raw = self._connection.connection.dbapi_connection
            if self._full is soon:
                raw.execute("PRAGMA synchronous=" + ("NORMAL" if soon else "FULL"))
                self._full = not soon
            self._run(raw, "BEGIN IMMEDIATE")
            self._batch = _Batch(soon)
        return self._connection, self._batch

    def _undo(self, raw, first: bool) -> None:
        if first:
            self._batch = None
            with suppress(Exception):
                raw.execute("ROLLBACK")
            return
        try:
            self._run(raw, "ROLLBACK TO member")
            self._run(raw, "RELEASE member")
        except Exception as error:  # a full disk or an I/O error has already rolled back the whole transaction
            self._fail(error)

    def _commit(self) -> None:
        batch, self._batch = self._batch, None
        raw = self._connection.connection.dbapi_connection
        try:
            self._run(raw, "COMMIT")
        except Exception as error:
            with suppress(Exception):
                raw.execute("ROLLBACK")
            batch.settle(error)
            return
        if batch.soon:
            self._tail.sync_soon()
        else:
            self._tail.synced()
        batch.settle()

    def _run(self, raw, sql: str) -> None:
        try:
            raw.execute(sql)
        except self._writers.dialect.loaded_dbapi.Error as error:
            raise wrapped(error, sql, self._writers.dialect) from error

    def _fail(self, error: Exception) -> None:
        batch, self._batch = self._batch, None
        with suppress(Exception):
            self._connection.connection.dbapi_connection.execute("ROLLBACK")
        if batch is not None:
            batch.settle(error)

    def dispose(self) -> None:
        with self._lock:
            self._tail.close()
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        while self._resting:
            self._resting.pop().close()
        self._readers.dispose()
        self._writers.dispose()

    @property
    def engine(self) -> Engine:
        return self._writers


class _Batch:
    """The members of one shared commit."""

    __slots__ = ("done", "error", "members", "soon")

    def __init__(self, soon: bool):
        self.soon = soon
        self.done: threading.Event | None = None  # made by the first member that leaves the commit to another
        self.error: Exception | None = None
        self.members = 0

    def settle(self, error: Exception | None = None) -> None:
        """Tell the members how it ended."""
        self.error = error
        if self.done is not None:
            self.done.set()


class Tail:
    """The part of the write-ahead log that was committed without an fsync: a thread brings it to the disk."""

    def __init__(self, path: str):
        self._path = path
        self._changed = threading.Condition()
        self._due: float | None = None
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._closed = False

    def sync_soon(self) -> None:
        """Note a commit that has not reached the disk."""
        if self._due is not None:
            return
        self._due = time.monotonic() + SOON_SECONDS
        if self._thread is None or self._asleep:
            with self._changed:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, daemon=True, name="wal")
                    self._thread.start()
                self._changed.notify()

    def synced(self) -> None:
        """Note a commit with an fsync, which carried all before it."""
        self._due = None

    def close(self) -> None:
        """Bring to the disk what is not there yet and end the thread."""
        with self._changed:
            self._closed, due, self._due = True, self._due, None
            self._changed.notify()
        if due is not None:
            self._sync()

    def _work(self) -> None:
        idle_since = time.monotonic()
        while True:
            now, due = time.monotonic(), self._due
            if due is not None:
                idle_since = due
            elif now - idle_since > _AWAKE_SECONDS:
                with self._changed:
                    self._asleep = True
                    while self._due is None and not self._closed:
                        self._changed.wait()
                    self._asleep = False
                idle_since = time.monotonic()
            if self._closed:
                return
            if due is None or due > now:
                time.sleep(SOON_SECONDS if due is None else due - now)
                continue
            with self._changed:
                due, self._due = self._due, None
            if due is not None:
                self._sync()

    def _sync(self) -> None:
        # No locks are on this file (they are on the -shm file), so opening and closing it loses none.
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # checkpointed and removed: it is in the database
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            log.error("the database's log cannot be written to the disk: %s", error)
        finally:
            os.close(descriptor)


def _engine(url: sa.URL, *, query_only: bool) -> Engine:
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
                       "journal_size_limit=67108864", f"cache_size=-{_CACHE_KB}", "temp_store=MEMORY",
                       "secure_delete=FAST"):  # no older form of a row is left beside it
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
