"""The keyword index finds the same on both databases: forms of English words, codes, Chinese, letters with accents."""

from __future__ import annotations

import pytest

from sparrow.knowledge import keyword
from sparrow.storage import db, migrate
from sparrow.storage.tables.account import settings
from sparrow.storage.tables.knowledge import units
from tests.knowledge.test_bilingual import FILLER, index

__all__ = ["index"]

TEXTS = ["The valve was cleaned by two technicians.", "Running pumps are controlled by a sensor, A-40/2B.",
         "Der Kühler: crème brûlée in the café.", "压力传感器的工作温度。が",
         "Generalizations are ties that flies have."]


@pytest.mark.parametrize(("question", "serial"), [
    ("cleaning valves", 1), ("technician", 1), ("pump that runs", 2), ("control", 2), ("a40/2b", 2), ("A-40", 2),
    ("kuhler", 3), ("creme", 3), ("Café", 3), ("传感器温度", 4), ("generalize", 5), ("a tied fly", 5)])
def test_both_databases_find_the_same(index, question, serial):
    base = index(1, TEXTS + FILLER)
    with db.read() as tx:
        found = keyword.search(tx, [base], question, 10)
    assert found
    assert found[0][0] == serial
    assert 0.3 < found[0][1] < 2.3


def test_a_word_weighs_by_all_its_forms(index):
    base = index(1, ["valve", "valves", "valves valve", *FILLER])
    with db.read() as tx:
        assert keyword._count(tx, ["valve", "valves", "nothing-of-it"]) == {
            "valve": 3, "valves": 3, "nothing-of-it": 0}
        assert {serial for serial, _ in keyword.search(tx, [base], "valves", 10)} == {1, 2, 3}


@pytest.mark.parametrize("others", [1, 300])
def test_a_large_base_is_searched_as_a_small_one(index, monkeypatch, others):
    """Which of two ways finds its rows among those of other bases, which may all be better, is a matter of speed."""
    base = index(1, TEXTS + FILLER)
    other = index(101, [*TEXTS, *["A pump with a valve, a sensor. 阀门"] * others])
    with db.write() as tx:
        tx.execute(units.insert(), [
            {"serial": serial, "dataset_id": base if serial < 100 else other, "document_id": "d", "segment_id": "s",
             "hash": "h", "uses": "k", "synced": True} for serial in [*range(1, 26), *range(101, 106 + others)]])

    def found():
        keyword._frequency.clear()
        with db.read() as tx:
            return keyword._within(tx, [base], keyword._size(tx))[1], [
                keyword.search(tx, [base], "valve pump sensor", 2), keyword.translated(tx, [base], "阀门和泵", 1)]

    part, before = found()
    assert part == 1
    monkeypatch.setattr(keyword, "_LARGE", 1)
    monkeypatch.setattr(keyword, "_LARGE_PART", 0)
    part, after = found()
    assert (part < 1) == (db.dialect() == "sqlite")
    assert before == after
    assert all(rows and all(serial < 100 for serial, _ in rows) for rows in after)


def test_rows_without_stems_are_made_anew_once(postgres_server, data_dir, monkeypatch):
    from sparrow import settings as configuration

    monkeypatch.setenv("SPARROW_DATABASE_URL", postgres_server.new_database())
    configuration.reset()
    db.reset()
    migrate.upgrade()
    assert keyword.stem_rows() == 0
    base = "b" * 36
    old = [(number, base, ["valves", "valve", "传感", "cleaned"], [2, 1, 1, 1], 5) for number in range(1, 2502)]
    with db.write() as tx:  # as the release before left it
        tx.exec_driver_sql("INSERT INTO knowledge_fts(serial, dataset_id, terms, counts, length) "
                           "VALUES (%s, %s, %s, %s, %s)", old)
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    migrate.upgrade()
    real, calls = keyword._indexed, []

    def ended(term):
        calls.append(term)
        if len(calls) > 6000:
            raise KeyboardInterrupt
        return real(term)

    monkeypatch.setattr(keyword, "_indexed", ended)
    with pytest.raises(KeyboardInterrupt):
        keyword.stem_rows()
    monkeypatch.setattr(keyword, "_indexed", real)
    with db.read() as tx:
        assert tx.execute(settings.select().where(settings.c.name == "keyword_rows")).first() is not None
        assert tx.exec_driver_sql("SELECT terms FROM knowledge_fts WHERE serial = 1").scalar()[0] == "valves"
    assert keyword.stem_rows() == 2501
    assert keyword.stem_rows() == 0
    with db.read() as tx:
        rows = tx.exec_driver_sql("SELECT DISTINCT terms, counts, length FROM knowledge_fts").all()
    assert [(dict(zip(terms, counts, strict=True)), length) for terms, counts, length in rows] == [
        ({"valv": 3, "传感": 1, "clean": 1}, 5)]


@pytest.mark.parametrize(("query", "kind"), [
    ("Boot configuration", "terms"), ("刻录光盘", "terms"), ("A-40/2B", "names"), ("umask 0022", "names"),
    ("chmod chown chgrp", "names"), ("how to boot", "question"), ("怎样更换设备的电池", "question"), ("", "terms"),
    ("replace the battery of the old handheld scanner", "question")])
def test_what_a_query_is(query, kind):
    assert keyword.kind(query) == kind
