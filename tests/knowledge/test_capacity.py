"""What an import would take of the machine's memory: told before it, and refused with the number."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from sparrow.knowledge import capacity, datasets, documents, forecast, indexing
from tests.knowledge.test_bad_input import pdf
from tests.knowledge.test_manage import rule

PARAGRAPH = "The pump number {0} has the code Q-{0:05d} and turns {0} times a minute when it is warm.\n\n"
CHILDREN = {"mode": "hierarchical", "rules": {
    "segmentation": {"separator": "\n\n", "max_tokens": 400}, "parent_mode": "paragraph",
    "subchunk_segmentation": {"separator": " ", "max_tokens": 20}}}


@pytest.fixture
def put(admin):
    """Upload a file; return its id."""
    return lambda name, data: admin.post("/files/upload", data={"file": (io.BytesIO(data), name)}).json["id"]


def indexed(base: str, file_ids: list[str], **options) -> list[dict]:
    rows = documents.add_files(base, file_ids, **options)[0]
    for row in rows:
        indexing.run(row["id"])
    return [documents.get(base, row["id"]) for row in rows]


@pytest.mark.parametrize(("form", "given"), [("text_model", rule(40)), ("hierarchical_model", CHILDREN)])
def test_short_files_are_told_exactly(admin, put, form, given):
    text = "".join(PARAGRAPH.format(number) for number in range(50)).encode()
    ids = [put("a.md", text), put("b.txt", text[:1000]), put("broken.pdf", b"%PDF-1.7 broken")]
    base = admin.post("/datasets", json={"name": "a"}).json["id"]
    told = admin.post("/datasets/import-estimate", json={
        "file_ids": ids, "process_rule": given, "doc_form": form, "dataset_id": base})
    assert told.status_code == 200, told.text
    told = told.json
    assert [one["error_code"] for one in told["files"]] == [None, None, "corrupt_file"]
    assert [one["exact"] for one in told["files"]] == [True, True, False]
    rows = indexed(base, ids[:2], process_rule=given, doc_form=form)
    made = [documents.counts([row["id"]])[row["id"]][0] for row in rows]
    assert [one["passages"] for one in told["files"]] == [*made, 0]
    assert told["passages"] == sum(made)
    after = capacity.estimate(0)
    assert told["vectors"] == after["vectors"]
    assert told["memory"]["bytes_after"] == after["bytes_now"] > told["memory"]["bytes_now"]
    assert (told["memory"]["fits"], told["message"]) == (True, None)
    free = admin.post("/datasets/import-estimate", json={"file_ids": ids, "indexing_technique": "economy"}).json
    assert free["vectors"] == 0


@pytest.mark.parametrize("name", ["long.md", "long.pdf"])
def test_long_and_many_files_are_judged_by_a_part(put, name, monkeypatch):
    lines = [PARAGRAPH.format(number).strip() for number in range(600)]
    data = pdf(lines) if name == "long.pdf" else "\n\n".join(lines).encode()
    ids = [put(name, data), put(f"other-{name}", data), put("new.xyz", b"words " * 500)]
    whole = forecast.of_files(ids[:1], rule(40), "text_model")[0]
    assert whole.exact
    monkeypatch.setattr(forecast, "BLOCKS", 100)
    part = forecast.of_files(ids[:1], rule(40), "text_model")[0]
    assert not part.exact
    assert 0.7 < part.passages / whole.passages < 1.4
    monkeypatch.setattr(forecast, "SECONDS", 0.0)
    unread = forecast.of_files(ids, rule(40), "text_model")
    assert all(one.passages and not one.exact for one in unread)
    monkeypatch.undo()
    now, real = [0.0], forecast._read

    def read(*given):  # takes all the time there is
        real(*given)
        now[0] = 100.0

    monkeypatch.setattr(forecast, "clock", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(forecast, "_read", read)
    like = forecast.of_files(ids[:2], rule(40), "text_model")
    assert [(one.passages, one.exact) for one in like] == [(whole.passages, True), (whole.passages, False)]


def test_what_does_not_fit_is_refused_with_the_number(admin, put, monkeypatch):
    text = "".join(PARAGRAPH.format(number) for number in range(40)).encode()
    base = datasets.create("a")["id"]
    monkeypatch.setattr(capacity, "memory", lambda: 2 * capacity.bytes_for(60, 512))
    first = put("a.md", text)
    assert indexed(base, [first], process_rule=rule(40))[0]["indexing_status"] == "completed"
    second = put("b.md", text.replace(b"pump", b"motor"))
    told = admin.post("/datasets/import-estimate", json={"file_ids": [second], "process_rule": rule(40)}).json
    assert not told["memory"]["fits"]
    need = capacity.bytes_for(told["memory"]["vectors"] + told["vectors"], 512) >> 20
    assert f"{need} MB" in told["message"]
    row = indexed(base, [second], process_rule=rule(40))[0]
    assert (row["indexing_status"], row["error_code"], row["error"]) == ("error", "index_too_large", told["message"])


def test_an_import_that_goes_on_counts_nothing_twice(put, monkeypatch):
    text = "".join(PARAGRAPH.format(number) for number in range(60)).encode()
    base = datasets.create("a")["id"]
    document = documents.add_files(base, [put("a.md", text)], process_rule=rule(40))[0][0]
    real, stored = indexing._Work._store, []

    def store(self, batch, *rest):
        if stored:
            raise OSError(5, "pulled out")
        stored.append(len(batch))
        return real(self, batch, *rest)

    monkeypatch.setattr(indexing, "BATCH", 20)
    monkeypatch.setattr(indexing._Work, "_store", store)
    indexing.run(document["id"])
    row = documents.get(base, document["id"])
    assert (row["indexing_status"], stored) == ("error", [20])
    monkeypatch.setattr(indexing._Work, "_store", real)
    monkeypatch.setattr(capacity, "memory", lambda: 2 * capacity.bytes_for(row["total"], 512))
    documents.retry(base, document["id"])
    indexing.run(document["id"])
    assert documents.get(base, document["id"])["indexing_status"] == "completed"
