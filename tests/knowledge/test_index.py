"""Indexing: killed, stopped and begun anew, vectors that repeat or go wrong, another model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

WORDS = ("valve", "pump", "filter", "电源", "压力", "温度", "motor", "sensor", "cable", "阀门")


def text(count: int) -> bytes:
    """Return a Markdown text of so many sections."""
    return "\n\n".join(
        f"## Section {i}\n\nThe {WORDS[i % 10]} number {i} has the code Q-{i:04d}/X and turns {i * 7} "
        f"times. "
        f"{WORDS[(i // 10) % 10]} {WORDS[(i // 100) % 10]}. It must be checked by two people who both know "
        f"how the "
        f"machine behaves when it is cold, and written down in book {i % 13} with the date of the day." * 2
        for i in range(count)).encode()


def segments_of(document: dict) -> list[str]:
    """Return the contents of a document's passages in order."""
    from sparrow.knowledge import segments

    rows, total = segments.search(document["id"], limit=10_000)
    assert total == len(rows)
    return [row["content"] for row in rows]


def test_killed_while_indexing_goes_on_without_loss_or_doubles(base, monkeypatch):
    from sparrow.knowledge import documents, indexing
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    document = base["add"](text(700))
    code = ("import sys, time; from sparrow.knowledge import indexing, embed\n"
            "real = embed.Embedder.encode\n"
            "def slow(self, *a, **k): time.sleep(0.05); return real(self, *a, **k)\n"
            "embed.Embedder.encode = slow\n"
            f"indexing.BATCH = 20; indexing.run({document['id']!r})")
    kills = 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
        before = documents.get(base["id"], document["id"])["done"]
        deadline = time.monotonic() + 120
        while child.poll() is None and time.monotonic() < deadline:
            if documents.get(base["id"], document["id"])["done"] > before + 40:
                child.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.02)
        child.wait()
    assert kills >= 2
    indexing.run(document["id"])
    done = documents.get(base["id"], document["id"])
    assert done["indexing_status"] == "completed", done["error"]
    found = segments_of(document)
    assert len(found) == done["total"]
    joined = "\n".join(found)
    assert all(f"Q-{i:04d}/X" in joined for i in range(700))
    assert len(set(found)) == len(found)
    with db.read() as tx:
        import sqlalchemy as sa

        assert tx.execute(sa.select(sa.func.count()).select_from(t.units)).scalar() == len(found)
        assert tx.exec_driver_sql("SELECT count(*) FROM knowledge_fts").scalar() == len(found)


@pytest.mark.parametrize("then", ["index", "delete", "delete the base"])
def test_a_run_that_is_killed_while_it_reads_leaves_nothing(base, sqlite_database, then):
    """Neither pictures that nobody refers to nor a folder of its own with the document's text."""
    from sparrow.knowledge import datasets, documents, indexing
    from sparrow.storage import db
    from tests.knowledge.test_transfer import picture_docx

    document = base["add"](picture_docx(), "a.docx")
    code = ("import os, sys; from sparrow.knowledge import chunk, indexing\n"
            "real = chunk.cut\n"
            "chunk.cut = lambda *a, **k: [*real(*a, **k)] and os._exit(9)\n"
            f"indexing.run({document['id']!r})")
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 9
    if then == "index":
        indexing.run(document["id"])
        assert documents.get(base["id"], document["id"])["indexing_status"] == "completed"
    elif then == "delete":
        documents.delete(base["id"], [document["id"]])
    else:
        datasets.delete(base["id"])
    kept = 2 if then == "index" else 0  # the document and its picture
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*) FROM files") == [(kept,)]
    assert sum(path.is_file() for path in (sqlite_database / "files").rglob("*")) == kept
    assert list((sqlite_database / "db" / "spool").iterdir()) == []


def test_a_document_that_is_deleted_while_it_is_read_leaves_no_spool(base, sqlite_database, monkeypatch):
    from sparrow.knowledge import chunk, documents, indexing

    document = base["add"](text(5))

    def cut(*args, **kwargs):
        yield from real(*args, **kwargs)
        monkeypatch.setattr(indexing, "remove_spool", lambda *a, **k: None)  # it came before the file was there
        documents.delete(base["id"], [document["id"]])
        monkeypatch.setattr(indexing, "remove_spool", remove)

    real, remove = chunk.cut, indexing.remove_spool
    monkeypatch.setattr(chunk, "cut", cut)
    indexing.run(document["id"])
    assert list((sqlite_database / "db" / "spool").iterdir()) == []


def test_vectors_that_go_with_another_document_are_made_again(base, monkeypatch):
    """The next edition of a manual is indexed, and the last one, with most of its texts, deleted meanwhile."""
    from sparrow.knowledge import documents, embed, indexing
    from sparrow.storage import db

    last = base["add"](text(3))["id"]
    indexing.run(last)
    following = base["add"](text(4), "next.md")["id"]
    real, deleted = embed.Embedder.encode, []

    def encode(*given):
        if not deleted:
            deleted.append(documents.delete(base["id"], [last]))
        return real(*given)

    monkeypatch.setattr(embed.Embedder, "encode", encode)
    indexing.run(following)
    assert documents.get(base["id"], following)["indexing_status"] == "completed"
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*), count(vector) FROM knowledge_units AS units LEFT JOIN embeddings "
                           "ON embeddings.hash = units.hash") == [(4, 4)]


def test_an_archived_document_is_not_begun_again(base):
    """Its job would pass it over, and it would wait for ever."""
    from sparrow.errors import Forbidden
    from sparrow.knowledge import documents, indexing

    document = base["add"](b"%PDF-1.4 nothing", "broken.pdf")["id"]
    indexing.run(document)
    documents.set_status(base["id"], [document], "archive")
    with pytest.raises(Forbidden):
        documents.retry(base["id"], document)
    assert documents.get(base["id"], document)["indexing_status"] == "error"


def test_a_stop_that_comes_after_the_document_was_begun_anew_does_not_hold(base, monkeypatch):
    from sparrow.knowledge import documents, indexing

    document = base["add"](text(5))["id"]

    def stopped(work):
        documents.cancel(base["id"], document)
        documents.reindex(base["id"], document)
        raise indexing._Stop("cancel")  # as it was read between the two

    real = indexing._Work.spool
    monkeypatch.setattr(indexing._Work, "spool", stopped)
    indexing.run(document)
    assert documents.get(base["id"], document)["indexing_status"] == "waiting"
    monkeypatch.setattr(indexing._Work, "spool", real)
    indexing.run(document)
    assert documents.get(base["id"], document)["indexing_status"] == "completed"


def test_vectors_are_searched_while_documents_are_deleted(base, monkeypatch):
    """What a deletion clears away is being written by a search."""
    from sparrow.knowledge import datasets, indexing, vectors
    from sparrow.knowledge.retrieve import retrieve

    indexing.run(base["add"](text(5))["id"])
    real, at = vectors._signature, []

    def signature(folder):
        if not at:
            at.append(threading.Thread(target=vectors.compact, args=(base["id"],)))
            at[0].start()
            at[0].join(0.2)
        return real(folder)

    monkeypatch.setattr(vectors, "_signature", signature)
    assert len(retrieve("valve", [base["id"]], {"search_method": "semantic_search", "top_k": 5})) == 5
    at[0].join()
    vectors.drop(base["id"])
    monkeypatch.setattr(vectors, "_refresh", lambda *given: Path(base["id"], "gone").read_bytes())
    row = datasets.get(base["id"])
    assert vectors._current(row["id"], row["index_epoch"], "m", 4) is None


def test_unchanged_chunks_are_not_embedded_twice(base, monkeypatch):
    from sparrow.knowledge import documents, embed, indexing

    counted = []
    real = embed.Embedder.encode
    monkeypatch.setattr(embed.Embedder, "encode",
                        lambda self, texts, kind="document": counted.extend(texts) or real(self, texts, kind))
    document = base["add"](text(60))
    indexing.run(document["id"])
    first = len(counted)
    assert first > 0
    indexing.run(base["add"](text(60), "copy.md")["id"])
    assert len(counted) == first
    documents.reindex(base["id"], document["id"])
    indexing.run(document["id"])
    assert len(counted) == first


def test_pause_resume_and_cancel(base):
    from sparrow.errors import BadRequest
    from sparrow.knowledge import documents, indexing

    document = base["add"](text(30))
    documents.pause(base["id"], document["id"])
    indexing.run(document["id"])
    assert documents.display_status(documents.get(base["id"], document["id"])) == "paused"
    documents.resume(base["id"], document["id"])
    indexing.run(document["id"])
    assert documents.get(base["id"], document["id"])["indexing_status"] == "completed"
    with pytest.raises(BadRequest):
        documents.pause(base["id"], document["id"])
    other = base["add"](text(5), "other.md")
    documents.cancel(base["id"], other["id"])
    indexing.run(other["id"])
    assert documents.get(base["id"], other["id"])["error_code"] == "cancelled"


@pytest.mark.parametrize(("vectors", "code"), [
    (lambda n: [[float("nan")] * 4] * n, "embedding_failed"),
    (lambda n: [[1.0] * 4] * (n - 1), "embedding_failed"),
    (lambda n: [[1.0] * 4] * (n - 1) + [[1.0] * 3], "embedding_failed"),
    (lambda n: [[0.5] * 9] * n, "embedding_dimension"),
])
def test_bad_vectors_end_in_the_documents_state(base, monkeypatch, vectors, code):
    from sparrow.knowledge import documents, embed, indexing
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    with db.write() as tx:
        tx.execute(t.datasets.update().values(embedding_model="m", embedding_model_provider="p",
                                              embedding_dimension=4))
    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: vectors(len(texts)))
    document = base["add"](text(10))
    indexing.run(document["id"])
    after = documents.get(base["id"], document["id"])
    assert (after["indexing_status"], after["error_code"]) == ("error", code)


def test_reindex_with_another_model_serves_the_old_index_meanwhile(base, monkeypatch):
    from sparrow.knowledge import datasets, embed, indexing, reindex
    from sparrow.knowledge.retrieve import retrieve

    indexing.run(base["add"](text(40))["id"])
    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: [
        [float(len(part)), float(part.count("valve")) + 0.1, 1.0] for part in texts])
    changed = datasets.update(base["id"], {"embedding_model": "m", "embedding_model_provider": "p"})
    assert (changed["embedding_model"], changed["next_embedding_model"]) == ("use-multilingual-v3", "m")
    assert retrieve("valve", [base["id"]], {"search_method": "semantic_search"})
    reindex.run(base["id"])
    after = datasets.get(base["id"])
    assert (after["embedding_model"], after["embedding_dimension"], after["index_epoch"]) == ("m", 3, 2)
    assert retrieve("valve", [base["id"]], {"search_method": "semantic_search"})


def test_a_document_indexed_during_a_switch_gets_vectors_of_the_new_model(base, monkeypatch):
    import sqlalchemy as sa

    from sparrow.knowledge import datasets, documents, embed, indexing, reindex
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: [
        [float(len(part)), 1.0] for part in texts])
    indexing.run(base["add"](text(10))["id"])
    datasets.update(base["id"], {"embedding_model": "m", "embedding_model_provider": "p"})
    document = base["add"](text(150)[-20_000:], "late.md")
    real, switched = indexing._Work._embed, []

    def embed_and_switch(self, batch):
        found = real(self, batch)
        if not switched:
            switched.append(True)
            reindex.run(base["id"])
        return found

    monkeypatch.setattr(indexing._Work, "_embed", embed_and_switch)
    indexing.run(document["id"])
    after = documents.get(base["id"], document["id"])
    assert (switched, after["indexing_status"]) == ([True], "completed"), after["error"]
    with db.read() as tx:
        units = tx.execute(sa.select(sa.func.count()).select_from(t.units)).scalar()
        matched = tx.execute(sa.select(sa.func.count()).select_from(t.units).join(
            t.embeddings, sa.and_(t.embeddings.c.hash == t.units.c.hash, t.embeddings.c.model == "p/m"))).scalar()
    assert units == matched > 10
    assert len(segments_of(document)) == after["total"]


def test_a_switch_to_a_model_of_changing_dimension_keeps_the_old_index(base, monkeypatch):
    from sparrow.knowledge import datasets, embed, indexing, reindex
    from sparrow.knowledge.retrieve import retrieve

    indexing.run(base["add"](text(10))["id"])
    datasets.update(base["id"], {"embedding_model": "m", "embedding_model_provider": "p"})
    monkeypatch.setattr(embed.Embedder, "_remote", lambda self, texts, kind: [
        [1.0] * (2 + (len(texts) > 1))] * len(texts))
    with pytest.raises(embed.EmbedderError):
        reindex.run(base["id"])
    assert datasets.get(base["id"])["index_epoch"] == 1
    assert retrieve("valve", [base["id"]], {"search_method": "semantic_search"})
