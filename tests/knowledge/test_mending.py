"""The keyword index, damaged behind Sparrow's back: questions are answered meanwhile, and it heals."""

from __future__ import annotations

import pytest

from .test_index import text

DAMAGES = (
    "DELETE FROM knowledge_fts_data WHERE id > 10",
    "UPDATE knowledge_fts_data SET block = zeroblob(20) WHERE id > 10",
    "UPDATE knowledge_fts_data SET block = randomblob(length(block)) WHERE id > 10",
    "UPDATE knowledge_fts_data SET block = zeroblob(4) WHERE id = 10",
    "DELETE FROM knowledge_fts_data", "DELETE FROM knowledge_fts_data WHERE id = 1",
    "DELETE FROM knowledge_fts_docsize", "DELETE FROM knowledge_fts_docsize WHERE id % 2",
    "DELETE FROM knowledge_fts_config", "DROP TABLE knowledge_fts", "DROP TABLE knowledge_terms",
    *(f"DROP TABLE knowledge_fts_{table}" for table in ("data", "idx", "docsize", "config")),
    *(f"zeros in fts_{table}" for table in ("data", "idx", "docsize", "config")), "noise in fts_docsize")
RANKED = "UPDATE knowledge_fts_docsize SET sz = zeroblob(1)"  # who writes meets it nowhere


@pytest.fixture
def filled(base):
    """A base with a document."""
    from sparrow.knowledge import indexing

    document = base["add"](text(10))
    indexing.run(document["id"])
    base["document"] = document["id"]
    return base


def hurt(folder, damage: str) -> None:
    """Change the database's file from outside: by a statement, or in a page of the disk where a table begins."""
    from pysqlite3 import dbapi2

    from sparrow.storage import db

    file = folder / "db" / "sparrow.db"
    how, _, table = damage.partition(" in ")
    connection = dbapi2.connect(file, isolation_level=None)
    if table:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size, = connection.execute("PRAGMA page_size").fetchone()
        page, = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (f"knowledge_{table}",)).fetchone()
        with open(file, "r+b") as pages:
            pages.seek((page - 1) * size)
            pages.write(bytes(size) if how == "zeros" else bytes(range(7, 257 - 6)) * (size // 244))
    else:
        connection.execute(damage)
    connection.close()
    db.reset()  # what connections remember of the pages


def found(base, method: str = "hybrid_search") -> str:
    from sparrow.knowledge.retrieve import retrieve

    return retrieve("Q-0007/X", [base["id"]], {"search_method": method, "top_k": 1})[0].content


def whole(base) -> None:
    """Check that the index finds by words, and has exactly the rows it should have."""
    from sparrow.knowledge import keyword
    from sparrow.storage import db

    keyword._frequency.clear()  # counted while it was damaged; remembered for a minute
    assert "Q-0007/X" in found(base, "full_text_search")
    with db.read() as tx:
        assert db.rows(tx, "SELECT serial FROM knowledge_units WHERE uses LIKE '%k%' ORDER BY serial") \
            == db.rows(tx, "SELECT id FROM knowledge_fts_docsize ORDER BY id")


@pytest.mark.parametrize("damage", [*DAMAGES, RANKED])
def test_a_question_is_answered_and_heals_it(filled, sqlite_database, damage):
    from sparrow.errors import SparrowError
    from sparrow.knowledge import mending
    from sparrow.knowledge.retrieve import usage
    from sparrow.storage import queue

    hurt(sqlite_database, damage)
    usage._healed.clear()
    assert "Section" in found(filled)  # whatever the vectors find
    try:
        found(filled, "full_text_search")
    except (SparrowError, IndexError) as error:
        assert getattr(error, "status", 503) == 503
        assert isinstance(error, IndexError) or queue.queued("check_knowledge")
    mending.check(thoroughly=True)
    whole(filled)


@pytest.mark.parametrize("damage", DAMAGES)
def test_writing_heals_it(filled, sqlite_database, damage):
    from sparrow.knowledge import documents, indexing, mending

    hurt(sqlite_database, damage)
    other = filled["add"](text(3), "other.md")
    indexing.run(other["id"])
    assert documents.get(filled["id"], other["id"])["indexing_status"] == "completed"
    documents.delete(filled["id"], [other["id"]])
    mending.check(thoroughly=False)
    whole(filled)


@pytest.mark.parametrize("damage", DAMAGES)
def test_deleting_heals_it(filled, sqlite_database, damage):
    from sparrow.knowledge import documents
    from sparrow.storage import db

    hurt(sqlite_database, damage)
    documents.delete(filled["id"], [filled["document"]])
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*) FROM knowledge_fts_docsize") == [(0,)]


def test_a_sound_index_is_left_alone(filled, monkeypatch):
    from sparrow.knowledge import mending

    monkeypatch.setattr(mending, "_make", lambda clear: pytest.fail("it was whole"))
    for thoroughly in (False, True):
        mending.check(thoroughly=thoroughly)


def test_the_worker_looks_at_it_when_it_starts_and_when_a_question_found_it_damaged(sqlite_database, monkeypatch):
    from sparrow.knowledge import documents, mending

    looked = []
    monkeypatch.setattr(mending, "check", lambda **how: looked.append(how["thoroughly"]))
    documents.check_job({}, None)
    documents.check_job({"damaged": True}, None)
    assert looked == [False, True]
