"""Two who change the same document at the same time, in both databases: neither undoes or half undoes the other."""

from __future__ import annotations

import threading

import pytest

from sparrow.errors import NotFound
from sparrow.knowledge import datasets, documents, indexing, segments, units
from sparrow.storage import db

TEXT = b"# Valve\n\nThe valve opens at 3 bar.\n"


@pytest.fixture
def base(base_of_either):
    """An economical base, whose documents are indexed in a moment."""
    datasets.update(base_of_either["id"], {"indexing_technique": "economy"})
    return base_of_either


class Beside:
    """Somebody else, who begins now and has done it in a moment unless he has to wait."""

    def __init__(self, action, *given):
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._do, args=(action, *given))
        self._thread.start()
        self._thread.join(0.5)

    def _do(self, action, *given) -> None:
        try:
            action(*given)
        except Exception as error:
            self.error = error

    def end(self) -> Exception | None:
        """Wait for the end and return what went wrong."""
        self._thread.join()
        return self.error


def once_after(monkeypatch, owner, name: str, action) -> list[Beside]:
    """Have somebody do something beside the transaction that calls a function for the first time."""
    real, begun = getattr(owner, name), []

    def function(*args, **kwargs):
        result = real(*args, **kwargs)
        if not begun:
            begun.append(None)
            begun[0] = Beside(action)
        return result

    monkeypatch.setattr(owner, name, function)
    return begun


def counts() -> tuple[int, ...]:
    with db.read() as tx:
        return tuple(db.rows(tx, f"SELECT count(*) FROM {table}")[0][0]
                     for table in ("segments", "child_chunks", "knowledge_units"))


def test_a_document_that_is_cut_anew_while_it_ends_is_indexed_again(base, monkeypatch):
    """It was shown as ready and had no passages, for ever."""
    document = base["add"](TEXT)["id"]
    finish, others = indexing._Work.finish, []

    def ending(work):
        others.append(once_after(monkeypatch, indexing._Work, "_still_wanted",
                                 lambda: documents.reindex(base["id"], document)))
        finish(work)

    monkeypatch.setattr(indexing._Work, "finish", ending)
    indexing.run(document)
    assert others[0][0].end() is None
    monkeypatch.undo()
    indexing.run(document)
    assert documents.get(base["id"], document)["indexing_status"] == "completed"
    assert counts() == (1, 0, 1)


def test_a_document_that_is_paused_while_it_is_begun_is_paused(base, monkeypatch):
    document = base["add"](TEXT)["id"]
    others = once_after(monkeypatch, indexing.clock, "now", lambda: documents.pause(base["id"], document))
    indexing.run(document)
    assert others[0].end() is None
    assert documents.get(base["id"], document)["indexing_status"] == "paused"


def test_two_who_choose_the_same_documents_do_not_wait_for_each_other(base):
    chosen = [base["add"](TEXT, f"{number}.md")["id"] for number in range(8)]
    for document in chosen:
        indexing.run(document)

    def switch(ids: list[str]) -> None:
        for _ in range(40):
            documents.set_status(base["id"], ids, "disable")

    others = [Beside(switch, chosen), Beside(switch, chosen[::-1])]
    assert [other.end() for other in others] == [None, None]


def test_a_failed_document_is_deleted_while_all_are_tried_again(base, monkeypatch):
    """The others were not."""
    failed = [base["add"](b"%PDF-1.4 nothing", f"{number}.pdf")["id"] for number in range(3)]
    for document in failed:
        indexing.run(document)
    others = once_after(monkeypatch, documents.clock, "now", lambda: documents.delete(base["id"], failed[1:2]))
    assert documents.retry_failed(base["id"]) == 3
    assert others[0].end() is None
    rows, _ = documents.search(base["id"])
    assert [row["indexing_status"] for row in rows] == ["waiting"] * 2


def test_a_passage_is_changed_while_its_document_is_cut_anew(base, monkeypatch):
    document = base["add"](TEXT)["id"]
    indexing.run(document)
    passage = segments.search(document)[0][0]
    others = once_after(monkeypatch, units, "remove_segments", lambda: documents.reindex(base["id"], document))
    try:
        segments.update(datasets.get(base["id"]), documents.get(base["id"], document), passage, content="Other words.")
    except NotFound:  # it is gone again when it is to be shown
        pass
    assert others[0].end() is None
    assert documents.get(base["id"], document)["indexing_status"] == "waiting"


@pytest.mark.parametrize("gone", ["document", "base", "passage"])
@pytest.mark.parametrize("what", ["a change", "a child"])
def test_what_is_deleted_while_a_model_makes_vectors_stays_deleted(base, monkeypatch, gone, what):
    """The text that was being saved came into the database after all, where nobody could see or delete it."""
    document = base["add"](TEXT)["id"]
    indexing.run(document)
    passage = segments.search(document)[0][0]
    dataset, row = datasets.get(base["id"]), documents.get(base["id"], document)
    delete = {"document": lambda: documents.delete(base["id"], [document]), "base": lambda: datasets.delete(base["id"]),
              "passage": lambda: segments.delete(base["id"], document, [passage["id"]])}[gone]
    monkeypatch.setattr(segments, "_vectors", lambda *given: delete() or {})
    with pytest.raises(NotFound):
        if what == "a change":
            segments.update(dataset, row, passage, content="Secret words.")
        else:
            segments.add_child(dataset, passage, "Secret words.")
    assert counts() == (0, 0, 0)


@pytest.mark.parametrize("meanwhile", ["deleted", "cut anew"])
def test_a_document_takes_no_passage_that_came_too_late(base, monkeypatch, meanwhile):
    """It took the place of the first passage, and the document could not be indexed."""
    document = base["add"](TEXT)["id"]
    indexing.run(document)
    dataset, row = datasets.get(base["id"]), documents.get(base["id"], document)

    def vectors(*given):
        if meanwhile == "deleted":
            documents.delete(base["id"], [document])
        else:
            documents.reindex(base["id"], document)
        return {}

    monkeypatch.setattr(segments, "_vectors", vectors)
    with pytest.raises(NotFound):
        segments.add(dataset, row, [segments.NewSegment(content="Secret words.")])
    assert counts() == (0, 0, 0)
    if meanwhile == "cut anew":
        indexing.run(document)
        assert documents.get(base["id"], document)["indexing_status"] == "completed"


def test_a_child_that_is_deleted_while_it_is_changed_stays_deleted(base, monkeypatch):
    document = base["add"](TEXT)["id"]
    indexing.run(document)
    passage = segments.search(document)[0][0]
    dataset = datasets.get(base["id"])
    child = segments.add_child(dataset, passage, "Words.")
    monkeypatch.setattr(segments, "_vectors", lambda *given: segments.delete_child(base["id"], child["id"]) or {})
    with pytest.raises(NotFound):
        segments.update_child(dataset, passage, child, "Secret words.")
    assert counts() == (1, 0, 1)
