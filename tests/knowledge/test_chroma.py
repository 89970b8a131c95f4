"""Chroma as a cache of the database's vectors: damaged, away or late, it heals, and searches stay right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import free_port

from .test_index import text


class Server:
    """Chroma's server of the wheel, as the box runs it."""

    def __init__(self, folder, port: int):
        self.folder, self.port, self.process = folder, port, None

    def start(self) -> None:
        """Start it and wait until it answers."""
        code = ("import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_DFL); import "
                "chromadb_rust_bindings as c;"
                f"c.cli(['chroma', 'run', '--path', {str(self.folder)!r}, '--host', '127.0.0.1', '--port', "
                f"'{self.port}'])")
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/heartbeat", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Chroma did not start")

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(sqlite_database, tmp_path, monkeypatch):
    """A running Chroma that the settings name."""
    from sparrow import settings
    from sparrow.knowledge import chroma

    pytest.importorskip("chromadb_rust_bindings")
    port = free_port()
    monkeypatch.setenv("SPARROW_CHROMA_URL", f"http://127.0.0.1:{port}")
    # A machine that is busy with other tests may be slow without being damaged.
    usual = chroma.Timeouts
    monkeypatch.setattr(chroma, "Timeouts", lambda connect, first, idle: usual(connect * 4, first * 4, idle * 4))
    settings.reset()
    chroma.reset()
    running = Server(tmp_path / "chroma", port)
    running.start()
    yield running
    running.kill()
    chroma.reset()


def test_chroma_is_a_cache_that_heals(server, base, monkeypatch):
    from sparrow.knowledge import chroma, documents, indexing, syncing
    from sparrow.knowledge.retrieve import retrieve, search

    monkeypatch.setattr(search, "EXACT_BELOW", 0)
    document = base["add"](text(400))
    indexing.run(document["id"])
    total = documents.get(base["id"], document["id"])["total"]
    assert chroma.count(base["id"], 1) == total
    asked = []
    real = chroma.query
    monkeypatch.setattr(chroma, "query", lambda *a: asked.append(a) or real(*a))
    settings = {"search_method": "semantic_search", "top_k": 5}
    wanted = [p.segment_id for p in retrieve("valve number 250 code Q-0250/X", [base["id"]], settings)]
    assert asked
    # Away: the exact search serves the same passages.
    server.kill()
    chroma.reset()
    assert [p.segment_id for p in retrieve("valve number 250 code "
                                           "Q-0250/X", [base["id"]], settings)] == wanted
    # Back with an empty folder: found out by the check, made anew from the database.
    for file in sorted(server.folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    server.start()
    chroma.reset()
    assert chroma.check(base["id"]) is False
    assert chroma.count(base["id"], 1) == total
    assert chroma.check(base["id"]) is True
    # A deleted document leaves no vector there.
    documents.delete(base["id"], [document["id"]])
    syncing.run_job({"dataset_id": base["id"]}, None)
    assert chroma.count(base["id"], 1) == 0


def test_a_connection_that_chroma_has_closed_is_not_used_again(server):
    from sparrow.knowledge import chroma

    assert chroma.up()
    server.kill()
    server.start()
    assert chroma.up()
    assert sum(map(len, chroma._client._idle.values())) == 1  # and this one is kept


def test_short_documents_of_the_first_base_wait_for_chroma_that_only_starts(server, base):
    from sparrow.knowledge import chroma, documents, indexing, syncing
    from sparrow.storage import db
    from sparrow.storage.tables.jobs import jobs

    server.kill()
    total = 0
    for number in range(2):
        document = base["add"](text(5), f"{number}.md")
        indexing.run(document["id"])
        total += documents.get(base["id"], document["id"])["total"]
    with db.read() as tx:
        queued = tx.execute(jobs.select().where(jobs.c.kind == "sync_dataset", jobs.c.state == "queued")).all()
    assert len(queued) == 1  # for both documents
    threading.Timer(1.5, server.start).start()
    syncing.run_job(queued[0].payload, None)
    assert chroma.count(base["id"], 1) == total


def _answers(monkeypatch) -> list:
    """Return a list to which each answer of Chroma is added."""
    from sparrow.knowledge import chroma

    answers, real = [], chroma.query

    def query(*given):
        answer = real(*given)
        return lambda: answers.append(answer()) or answers[-1]

    monkeypatch.setattr(chroma, "query", query)
    return answers


@pytest.fixture
def asked(server, base, monkeypatch):
    """A base of some hundred passages that Chroma has answered rightly for; a function that asks it."""
    from sparrow.knowledge import indexing
    from sparrow.knowledge.retrieve import retrieve, search

    monkeypatch.setattr(search, "EXACT_BELOW", 0)
    indexing.run(base["add"](text(300))["id"])
    used = _answers(monkeypatch)

    def ask() -> tuple[list[str], bool]:
        """Return the passages found and whether they are Chroma's."""
        used.clear()
        found = retrieve("valve number 250 code Q-0250/X", [base["id"]], {"search_method": "semantic_search",
                                                                         "top_k": 5})
        return [passage.segment_id for passage in found], bool(used)

    assert ask()[1]
    return ask


def _change(base: dict, action: str, body: dict) -> None:
    """Do something to a base's collection behind the back of the database."""
    from sparrow.knowledge import chroma

    name = chroma.collection_name(base["id"], 1)
    chroma._request("POST", f"{chroma._BASE}/{chroma._collection(name)}/{action}", body, timeout=30)


def test_chroma_looks_while_words_are_ranked(server, base, monkeypatch):
    from sparrow.knowledge import chroma, indexing, keyword
    from sparrow.knowledge.retrieve import retrieve, search

    monkeypatch.setattr(search, "EXACT_BELOW", 0)
    indexing.run(base["add"](text(30))["id"])
    events = []
    ask, words = chroma.query, keyword.search

    def query(*given):
        events.append("asked")
        answer = ask(*given)
        return lambda: events.append("waited") or answer()

    monkeypatch.setattr(chroma, "query", query)
    monkeypatch.setattr(keyword, "search", lambda *a: events.append("ranked") or words(*a))
    assert retrieve("valve number 25", [base["id"]], {"search_method": "hybrid_search", "top_k": 3})
    assert events == ["asked", "ranked", "waited"]


def test_wrong_vectors_of_a_running_chroma_are_seen_by_its_answers(asked, base):
    import sqlalchemy as sa

    from sparrow.knowledge import syncing
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    wanted, _ = asked()
    with db.read() as tx:
        serials, vectors = zip(*tx.execute(sa.select(t.units.c.serial, t.embeddings.c.vector).join(
            t.embeddings, t.embeddings.c.hash == t.units.c.hash).order_by(t.units.c.serial)).all(), strict=True)
    import numpy as np

    _change(base, "upsert", {"ids": [str(serial) for serial in serials],
                             "embeddings": [np.frombuffer(vector, "<f4").tolist()
                                            for vector in (*vectors[7:], *vectors[:7])]})
    assert asked() == (wanted, False)  # the exact search answers
    assert asked() == (wanted, False)
    syncing.run_job({"dataset_id": base["id"]}, None)  # what the search asked for
    assert asked() == (wanted, True)


def test_vectors_that_a_running_chroma_lost_are_seen_in_time(asked, base, monkeypatch):
    import sqlalchemy as sa

    from sparrow.knowledge import chroma, syncing
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    wanted, _ = asked()
    with db.read() as tx:
        serials = list(tx.execute(sa.select(t.units.c.serial).order_by(t.units.c.serial)).scalars())
    _change(base, "delete", {"ids": [str(serial) for serial in serials[::2]]})
    now = time.monotonic()
    monkeypatch.setattr(chroma, "time", SimpleNamespace(monotonic=lambda: now))
    asked()
    now += chroma._AGAIN + 1
    deadline = time.monotonic() + 60
    while asked()[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert asked() == (wanted, False)
    syncing.run_job({"dataset_id": base["id"]}, None)
    assert asked() == (wanted, True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_file_of_chroma_is_damaged_heals(server, base, monkeypatch):
    """Cut short, filled with zeros, gone: each file alone; no search is answered wrongly meanwhile."""
    from sparrow.knowledge import chroma, chroma_folder, documents, indexing, syncing
    from sparrow.knowledge.retrieve import retrieve, search

    monkeypatch.setattr(search, "EXACT_BELOW", 0)
    indexing.run(base["add"](text(1300))["id"])  # Chroma writes the graph to files after 1,000
    answers = _answers(monkeypatch)
    question = ("valve number 250 code Q-0250/X", [base["id"]], {"search_method": "semantic_search", "top_k": 5})
    wanted = [p.segment_id for p in retrieve(*question)]
    server.kill()
    whole = server.folder.with_name("whole")
    shutil.copytree(server.folder, whole)
    files = [file.relative_to(whole) for file in sorted(whole.rglob("*")) if file.is_file()]
    assert {"chroma.sqlite3", "data_level0.bin", "header.bin", "index_metadata.pickle"} <= {f.name for f in files}

    def start() -> None:
        chroma_folder.prepare(server.folder)  # as the launcher does
        server.start()

    def as_supervisord(_seconds: float) -> None:
        if server.process.poll() is not None:
            start()
        chroma.reset()  # the time to rest after a failure is over

    monkeypatch.setattr(syncing, "time", SimpleNamespace(sleep=as_supervisord))
    damages = {"cut": lambda file: os.truncate(file, file.stat().st_size // 2), "gone": Path.unlink,
               "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size))}
    for how, damage in damages.items():
        for file in files:
            shutil.rmtree(server.folder)
            shutil.copytree(whole, server.folder)
            damage(server.folder / file)
            chroma.reset()
            start()
            documents.check_job({}, None)  # as when the worker starts
            assert [p.segment_id for p in retrieve(*question)] == wanted, (how, file)
            answers.clear()
            for _ in range(3):  # a busy server may be late, and is left alone for a moment then
                syncing.run_job({"dataset_id": base["id"]}, None)  # what a search asks for that finds a damage
                assert [p.segment_id for p in retrieve(*question)] == wanted, (how, file)
                if answers:
                    break
            assert answers, (how, file)
            server.kill()


def test_a_damaged_chroma_folder_is_emptied_before_the_start(tmp_path):
    from pysqlite3 import dbapi2 as sqlite3

    from sparrow.knowledge import chroma_folder

    file = tmp_path / "chroma.sqlite3"
    connection = sqlite3.connect(file)
    connection.executescript("create table t(a); insert into t values (zeroblob(100000));")
    connection.close()
    assert chroma_folder.prepare(tmp_path, now=0.0) is False
    assert file.exists()
    os.truncate(file, 9000)
    assert chroma_folder.prepare(tmp_path, now=1000.0) is True
    assert not file.exists()
    (tmp_path / "index.bin").write_bytes(b"torn")
    results = [chroma_folder.prepare(tmp_path, now=2000.0 + i) for i in range(4)]
    assert results == [False, False, False, True]
    assert not (tmp_path / "index.bin").exists()


def test_chroma_holds_summaries_and_lets_them_go(server, base, monkeypatch):
    from sparrow.knowledge import chroma, datasets, documents, indexing, segments
    from sparrow.knowledge.retrieve import retrieve, search

    monkeypatch.setattr(search, "EXACT_BELOW", 0)
    document = base["add"](text(20))
    indexing.run(document["id"])
    number = chroma.count(base["id"], 1)

    def change(summary: str | None) -> int:
        row = segments.search(document["id"])[0][2]
        segments.update(datasets.get(base["id"]), documents.get(base["id"], document["id"]), row, summary=summary)
        chroma.sync(base["id"])
        return chroma.count(base["id"], 1) - number

    assert change("The walrus hums.") == 1
    asked = []
    real = chroma.query
    monkeypatch.setattr(chroma, "query", lambda *given: asked.append(given) or real(*given))
    found = retrieve("The walrus hums.", [base["id"]], {"search_method": "semantic_search", "top_k": 3})[0]
    assert (found.position, found.by_summary, len(asked)) == (3, True, 1)
    assert change("The okapi sings.") == 1
    chroma.drop(chroma.collection_name(base["id"], 1))
    assert not chroma.check(base["id"])
    assert chroma.count(base["id"], 1) == number + 1  # made anew from the database
    assert change(None) == 0
    assert change("The okapi sings.") == 1
    documents.delete(base["id"], [document["id"]])
    chroma.sync(base["id"])
    assert chroma.count(base["id"], 1) == 0
