"""Transactions: group commit, isolation of failures, durability, the traps of SQLite."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import ClassVar

import pytest
import sqlalchemy as sa

from sparrow import settings
from sparrow.storage import db, migrate, sqlite
from sparrow.storage.tables.account import settings as table
from sparrow.storage.tables.apps import apps


def put(tx, name, value=1):
    tx.execute(table.insert(), {"name": name, "value": value, "updated_at": 0.0})


def names() -> set[str]:
    with db.read() as tx:
        return set(tx.execute(sa.select(table.c.name)).scalars())


def test_a_write_is_read_back(database):
    with db.write() as tx:
        put(tx, "a", {"中": [1, None]})
    with db.read() as tx:
        assert tx.execute(sa.select(table.c.value)).scalar() == {"中": [1, None]}


def test_an_exception_undoes_the_block_and_nothing_else(database):
    with db.write() as tx:
        put(tx, "kept")
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        put(tx, "gone")
        raise ZeroDivisionError
    with pytest.raises(sa.exc.IntegrityError), db.write() as tx:
        put(tx, "kept")
    assert names() == {"kept"}


def test_a_write_inside_a_write_joins_it(database):
    with pytest.raises(ZeroDivisionError), db.write() as outer:
        with db.write() as inner:
            assert inner is outer
            put(inner, "inner")
        with db.read() as reader:  # sees what its own transaction wrote
            assert reader.execute(sa.select(table.c.name)).scalar() == "inner"
        raise ZeroDivisionError
    assert names() == set()


def test_one_failure_in_a_shared_commit_leaves_the_others(sqlite_database):
    """Many writers at once, every third fails: exactly the others are there, in fewer commits than writers."""
    commits = _count_commits()
    start = threading.Barrier(24)
    failed = []

    def work(number: int):
        start.wait()
        try:
            with db.write() as tx:
                put(tx, f"n{number}")
                time.sleep(0.002)
                if number % 3 == 0:
                    raise ValueError(number)
        except ValueError:
            failed.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert names() == {f"n{n}" for n in range(24) if n % 3}
    assert sorted(failed) == [n for n in range(24) if n % 3 == 0]
    assert 1 <= len(commits) < 16, "writers that wait for each other share a commit"


def _count_commits() -> list[str]:
    seen: list[str] = []
    with db.write():
        pass
    backend = db._get()
    backend._connection.connection.dbapi_connection.set_trace_callback(
        lambda statement: seen.append(statement) if statement == "COMMIT" else None)
    return seen


def test_nobody_returns_before_the_commit(sqlite_database):
    """What `write()` acknowledged is visible to another connection at once, even while others queue."""
    missing = []

    def work(number: int):
        for step in range(10):
            with db.write() as tx:
                put(tx, f"{number}.{step}")
            if f"{number}.{step}" not in names():
                missing.append((number, step))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not missing
    assert len(names()) == 80


@pytest.mark.parametrize("awake", [0.0, 60.0])  # the thread has to be woken, or looks by itself
def test_a_write_that_need_not_wait_is_seen_at_once_and_on_the_disk_soon(sqlite_database, monkeypatch, awake):
    monkeypatch.setattr(sqlite, "_AWAKE_SECONDS", awake)
    synced = threading.Event()
    fdatasync = os.fdatasync

    def noted(descriptor):
        fdatasync(descriptor)
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("-wal"):
            synced.set()

    monkeypatch.setattr(os, "fdatasync", noted)
    with db.write(soon=True) as tx:
        put(tx, "soon")
    assert names() == {"soon"}
    assert synced.wait(5), "nobody else wrote, so the thread brings it to the disk"
    synced.clear()
    time.sleep(0.2)
    with db.write(soon=True) as tx:
        put(tx, "again")
    assert synced.wait(5)
    synced.clear()
    with db.write(soon=True) as tx:
        put(tx, "carried")
    with db.write() as tx:
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "an acknowledged write keeps its fsync"
        put(tx, "full")
    assert names() == {"soon", "again", "carried", "full"}
    assert not synced.wait(0.3), "the commit with an fsync carried the one before it"


def test_soon_and_full_writers_mix(sqlite_database):
    """Neither kind loses a row or waits for ever, and a failure undoes only itself."""
    def work(number: int):
        for step in range(20):
            try:
                with db.write(soon=(number + step) % 2 == 0) as tx:
                    put(tx, f"{number}.{step}")
                    if step % 5 == 4:
                        raise ValueError
            except ValueError:
                pass
            else:
                assert f"{number}.{step}" in names()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert names() == {f"{n}.{step}" for n in range(8) for step in range(20) if step % 5 != 4}


def test_prepared_statements_write_what_sqlalchemy_writes(database):
    insert = db.Prepared(table.insert())
    update = db.Prepared(table.update().where(table.c.name == sa.bindparam("_name")).values(
        value=sa.bindparam("value")))
    with db.write(soon=True) as tx:
        insert(tx, {"name": "a", "value": {"中": [1, None]}, "updated_at": 0.5})
        insert(tx, {"name": "b", "value": None, "updated_at": 1.5})
        update(tx, {"_name": "b", "value": "100% :of 'it'"})
    with db.read() as tx:
        rows = tx.execute(sa.select(table).order_by(table.c.name)).all()
    assert [(row.name, row.value, row.updated_at) for row in rows] == [
        ("a", {"中": [1, None]}, 0.5), ("b", "100% :of 'it'", 1.5)]


def test_a_lookup_reads_what_sqlalchemy_reads(database):
    lookup = db.Lookup(sa.select(apps, table.c.value.label("other")).join(table, table.c.name == apps.c.name)
                       .where(apps.c.name == sa.bindparam("name")))
    with db.write() as tx:
        put(tx, "a", [1])
        tx.execute(apps.insert().values(id="1", name="a", mode="chat", site={"中": True}, created_at=0.5,
                                        updated_at=1.5))
    for _ in range(2):
        with db.read() as tx:
            found = lookup.first(tx, {"name": "a"})
            assert lookup.first(tx, {"name": "b"}) is None
            assert tuple(found) == (*tx.execute(sa.select(apps)).one(), [1])
        assert (found.site, found.enable_api, found.source, found.other) == ({"中": True}, True, None, [1])


def test_prepared_statements_fail_as_sqlalchemy_does(database):
    insert = db.Prepared(table.insert())
    with db.write() as tx:
        insert(tx, {"name": "a", "value": 1, "updated_at": 0.5})
    with pytest.raises(sa.exc.IntegrityError), db.write() as tx:
        insert(tx, {"name": "a", "value": 2, "updated_at": 0.5})
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"), db.read() as tx:
        insert(tx, {"name": "b", "value": 2, "updated_at": 0.5})


def test_text_with_a_nul_is_kept_as_the_database_can(database):
    insert = db.Prepared(table.insert())
    with db.write() as tx:
        put(tx, "a\0b", "in JSON \0 too")
        insert(tx, {"name": "c\0", "value": 1, "updated_at": 0.0})
    with db.read() as tx:
        row = tx.execute(sa.select(table).where(table.c.name == "a\0b")).one()
    assert row.name.replace("\0", "") == "ab"
    assert row.value == "in JSON \0 too"


def test_a_refused_commit_is_an_error_of_the_database_and_the_next_one_works(sqlite_database):
    with db.write() as tx:
        raw = tx.connection.dbapi_connection
    raw.set_authorizer(lambda action, word, *_: (action, word) == (22, "COMMIT"))  # 22: SQLITE_TRANSACTION; 1: deny
    with pytest.raises(sa.exc.DBAPIError, match="not authorized"), db.write() as tx:
        put(tx, "a")
    raw.set_authorizer(None)
    assert names() == set()
    with db.write() as tx:
        put(tx, "b")
    assert names() == {"b"}


def test_a_reader_that_failed_leaves_nothing_behind(database):
    for _ in range(40):  # more than there may be connections
        with pytest.raises(ZeroDivisionError), db.read() as tx:
            tx.execute(sa.select(table)).first()
            raise ZeroDivisionError
    with db.write() as tx:
        put(tx, "a")
    assert names() == {"a"}


def test_reads_do_not_write(database):
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"), db.read() as tx:
        put(tx, "a")


def test_a_read_is_one_snapshot(database):
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
        with_thread = threading.Thread(target=_write_one)
        with_thread.start()
        with_thread.join()
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
    assert names() == {"other"}


def _write_one():
    with db.write() as tx:
        put(tx, "other")


def test_every_connection_has_the_safe_settings(sqlite_database):
    for transaction in (db.read, db.write):
        with transaction() as tx:
            pragma = {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar()
                      for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")}
        assert pragma == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": sqlite.BUSY_TIMEOUT_MS,
                          "foreign_keys": 1}


def test_an_old_sqlite_is_refused(data_dir, monkeypatch):
    monkeypatch.setattr(sqlite, "SQLITE_MINIMUM", (99, 0, 0))
    with pytest.raises(db.DatabaseError, match=r"99\.0\.0 or newer"), db.read():
        pass


def test_a_network_share_is_refused(data_dir, monkeypatch):
    """WAL on NFS or CIFS loses data: no database is opened there."""
    monkeypatch.setattr(sqlite, "_NETWORK_FILE_SYSTEMS", _file_system_of(data_dir))
    with pytest.raises(db.DatabaseError, match="network share"), db.read():
        pass


def _file_system_of(folder) -> set[str]:
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True).stdout.strip()
    return {kind, "ext4" if kind.startswith("ext") else kind}


def test_a_forked_child_opens_its_own_connections(sqlite_database):
    with db.write() as tx:
        put(tx, "parent")
    child = os.fork()
    if child == 0:
        try:
            with db.write() as tx:
                put(tx, "child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert names() == {"parent", "child"}


WRITER = r"""
import os, sys, threading
from sparrow.storage import db
from sparrow.storage.tables.account import settings as table
from sparrow.storage.tables.apps import apps
def work(k):
    n = 0
    while True:
        with db.write() as tx:
            tx.execute(table.insert(), {"name": f"{sys.argv[1]}.{k}.{n}", "value": n, "updated_at": 0.0})
        os.write(1, f"{sys.argv[1]}.{k}.{n}\n".encode())
        n += 1
for k in range(4):
    threading.Thread(target=work, args=(k,)).start()
"""


def test_sqlite_does_without_the_dialect_of_postgresql(tmp_path):
    """It would take 2 MB of each program that uses the database."""
    code = ("import sys, sparrow.api, sparrow.jobs.worker; sparrow.api.create_app(); "
            "from sparrow.storage import db; from sparrow.storage.tables.account import settings; db.insert(settings); "
            "print(sorted(name for name in sys.modules if name.startswith('sqlalchemy.dialects.')))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "SPARROW_DATA_DIR": str(tmp_path), "SPARROW_DATABASE_URL": ""})
    assert "sqlalchemy.dialects.sqlite" in done.stdout
    assert "postgresql" not in done.stdout


def test_kill_loses_nothing_acknowledged(sqlite_database):
    """Two processes write with four threads each and are killed: every acknowledged row is there."""
    for round_ in range(2):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, f"{round_}{k}"], stdout=subprocess.PIPE, text=True)
                   for k in range(2)]
        first = {writer.stdout.readline().strip() for writer in writers}  # both are at it
        time.sleep(2)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        acknowledged = first | {line for writer in writers for line in writer.communicate()[0].split("\n")[:-1]}
        assert len(acknowledged) > 20
        assert acknowledged <= names()
    with db.read() as tx:
        assert tx.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_migrations_are_idempotent_and_reach_head(database):
    migrate.upgrade()
    assert migrate.current() == migrate.head()
    migrate.wait(timeout=1)


def test_migrations_make_the_tables_of_the_code(database):
    """Whoever changes a table adds a migration: `0002_….py` beside 0001."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from pysqlite3 import dbapi2

    from sparrow.storage.tables import metadata

    def ours(thing, name, kind, reflected, other):
        return not (kind == "table" and reflected and name.startswith(("knowledge_fts", "knowledge_terms")))

    with db.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        if database == "postgresql":
            return
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    fresh = sa.create_engine("sqlite://", module=dbapi2)
    metadata.create_all(fresh)
    with fresh.connect() as connection:
        wanted = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    made, wanted = ({name: "".join(sql.split()) for name, sql in rows
                     if not name.startswith(("knowledge_fts", "knowledge_terms", "alembic_"))}
                    for rows in (made, wanted))
    assert made == wanted, "defaults and constraints too"


def test_waiting_for_a_database_that_was_never_migrated_says_what_to_do(data_dir):
    with pytest.raises(db.DatabaseError, match="sparrow migrate"):
        migrate.wait(timeout=0.3)


def test_settings_name_the_database(data_dir):
    assert settings.get().database_url.endswith("/db/sparrow.db")


def test_the_thread_of_the_log_survives_a_commit_between_its_two_looks(tmp_path):
    class Tail(sqlite.Tail):
        """One whose time is taken back after the first look at it."""

        looks: ClassVar[list[float | None]] = []
        _due = property(lambda self: self.looks.pop(0) if self.looks else None, lambda self, value: None)

    tail = Tail(str(tmp_path / "none"))
    tail.looks[:] = [time.monotonic()]
    thread = threading.Thread(target=tail._work, daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    tail.close()
    thread.join(5)
    assert not thread.is_alive()
