"""Summaries of passages: who writes them, what is found by them, and what becomes of them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from sparrow.knowledge import (
    capacity,
    chroma,
    datasets,
    documents,
    indexing,
    keyword,
    mending,
    patience,
    reindex,
    segments,
    statistics,
    summaries,
    syncing,
    transfer,
)
from sparrow.knowledge.retrieve import retrieve
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.jobs import jobs
from tests.fake_llm import FakeLLM

PROVIDER = "openai_api_compatible"
RULE = {"mode": "custom", "rules": {"segmentation": {"separator": "\n\n", "max_tokens": 60, "chunk_overlap": 0}}}
FILLER = "It goes on with many words that nobody has to know, so that a passage holds one section and not two. " * 2
ON = {"enable": True}
METHODS = ("hybrid_search", "semantic_search", "full_text_search")


ANIMALS = ("aardvark", "bison", "camel", "dolphin", "elephant", "ferret", "giraffe", "hippo", "iguana", "jackal",
           "kangaroo", "lemur", "moose", "narwhal", "ocelot", "panther", "quail", "raccoon", "seal", "tapir")


def summary(number: int) -> str:
    """Return what the model says of passage N."""
    return f"Sum-{number:02}: the {animal(number)} lives here."


def animal(number: int) -> str:
    """Return the word by which the summary of passage N is found, and nothing else."""
    return ANIMALS[number % 20]


def manual(number: int, of: str = "Part") -> bytes:
    """Return a document of so many passages: passage N is about code X-0N."""
    return "\n\n".join(f"# {of} {at}\n\nThe code is X-{at:02}. {FILLER}" for at in range(1, number + 1)).encode()


@pytest.fixture
def fake(request, monkeypatch):
    """The box's default chat model; its summary of passage N is "Sum-N: the <animal> lives here."."""
    from sparrow.apps import models
    from sparrow.providers import store

    request.getfixturevalue("database" if "database" in request.fixturenames else "sqlite_database")
    store.source().forget()
    monkeypatch.setattr(patience, "PAUSES", (0.01,) * 4)
    with FakeLLM(answers={f"X-{number:02}": summary(number) for number in range(1, 40)}) as server:
        models.add_credential(PROVIDER, name="fake", base_url=server.base_url, api_key="k")
        models.set_defaults({"llm": {"provider": PROVIDER, "model": "fake-chat"}})
        yield server
    store.source().forget()


def base(setting: dict | None = ON, **options) -> str:
    """Make a base."""
    return datasets.create("Manuals", summary_index_setting=setting, **options)["id"]


def put(base_id: str, data: bytes, name: str = "manual.md", **options) -> str:
    """Add a document and index it; return its id."""
    file = files.save(io.BytesIO(data), name)
    row = documents.add_files(base_id, [file["id"]], **{"process_rule": RULE, **options})[0][0]
    indexing.run(row["id"])
    assert documents.get(base_id, row["id"])["indexing_status"] == "completed"
    return row["id"]


def told(base_id: str, document_id: str) -> tuple[str, int, int]:
    """Return how far a document's summaries are."""
    row = documents.get(base_id, document_id)
    return row["summary_state"], row["summary_done"], row["summary_total"]


def written(document_id: str) -> dict[int, str | None]:
    """Return {position: summary} of a document's passages."""
    return {row["position"]: row["summary"] for row in segments.search(document_id, limit=1000)[0]}


def asked(fake: FakeLLM) -> list[int]:
    """Return the numbers of the passages the model was asked for."""
    texts = [request["body"]["messages"][-1]["content"] for request in fake.requests
             if "messages" in request["body"]]
    return sorted(int(text.partition("code is X-")[2][:2]) for text in texts)


def hits(question: str, base_id: str, method: str = "hybrid_search", **settings) -> list:
    return retrieve(question, [base_id], {"search_method": method, "top_k": 3, **settings}, count_hits=False)


def units_of(document_id: str, **columns) -> list:
    with db.read() as tx:
        return tx.execute(t.units.select().where(
            t.units.c.document_id == document_id, *(t.units.c[name] == value for name, value in columns.items())
        ).order_by(t.units.c.serial)).mappings().all()


def waiting() -> list[str]:
    with db.read() as tx:
        return list(tx.execute(sa.select(jobs.c.key).where(
            jobs.c.kind == summaries.KIND, jobs.c.state == "queued")).scalars())


def edited(base_id: str, document_id: str, position: int = 1, **changes) -> dict:
    row = next(row for row in segments.search(document_id, limit=1000)[0] if row["position"] == position)
    return segments.update(datasets.get(base_id), documents.get(base_id, document_id), row, **changes)


def test_a_passage_is_found_by_its_summary_with_every_method(fake, database):
    made = base()
    document_id = put(made, manual(5))
    assert told(made, document_id) == ("waiting", 0, 5)
    assert documents.display_status(documents.get(made, document_id)) == "available"
    assert waiting() == [f"summaries:{document_id}"]
    assert hits("X-03", made)[0].position == 3  # it is found before
    assert summaries.run(document_id)
    assert told(made, document_id) == ("", 0, 0)
    assert written(document_id) == {n: summary(n) for n in range(1, 6)}
    assert asked(fake) == [1, 2, 3, 4, 5]
    question = fake.requests[0]["body"]["messages"][-1]["content"]
    assert question.startswith(summaries.PROMPT)
    assert "Part " in question
    for method in METHODS:
        found = hits(animal(4), made, method)
        assert (found[0].position, found[0].summary) == (4, summary(4)), method
        assert found[0].by_summary or method == "semantic_search"
        assert len({one.segment_id for one in found}) == len(found)  # a passage once, by the best of its units
    found = hits("X-02", made)[0]
    assert (found.position, found.by_summary, found.summary[:6]) == (2, False, "Sum-02")
    assert statistics.of(made)["summaries"] == 5
    assert statistics.of(made)["vectors"] == 10


def test_nothing_is_asked_where_summaries_are_off(fake, sqlite_database):
    made = base(None)
    document_id = put(made, manual(2))
    assert told(made, document_id) == ("", 0, 0)
    assert waiting() == []
    assert summaries.run(document_id)
    assert not fake.requests
    assert all(not unit["summary"] for unit in units_of(document_id))
    one = hits("X-01", made)[0]
    assert (one.summary, one.by_summary) == (None, False)


def test_a_base_without_summaries_is_asked_in_as_many_statements(fake, sqlite_database):
    made = base(None)
    put(made, manual(3))

    def statements() -> list[str]:
        hits("X-02", made)  # statements of the first time
        keyword._frequency.clear()  # what is remembered for a moment
        keyword._rows = (0.0, 0)
        seen = []

        def listen(*given) -> None:
            seen.append(given[2])

        sa.event.listen(sa.engine.Engine, "before_cursor_execute", listen)
        try:
            hits("X-02", made)
        finally:
            sa.event.remove(sa.engine.Engine, "before_cursor_execute", listen)
        return seen

    before = statements()
    assert before
    datasets.update(made, {"summary_index_setting": ON})
    document_id = documents.search(made)[0][0]["id"]
    summaries.write(made, [document_id])
    summaries.run(document_id)
    assert len(statements()) == len(before)


def test_the_model_and_the_prompt_of_the_base(admin, fake, sqlite_database):
    made = admin.post("/datasets", json={"name": "A", "summary_index_setting": {
        "enable": True, "model_provider_name": PROVIDER, "model_name": "fake-other", "summary_prompt": "In rhyme:"}})
    assert made.status_code == 201, made.text
    document_id = put(made.json["id"], manual(1))
    summaries.run(document_id)
    body = fake.requests[0]["body"]
    assert body["model"] == "fake-other"
    assert body["messages"][-1]["content"].startswith("In rhyme:\n\nPart 1\n\n")
    changed = admin.patch(f"/datasets/{made.json['id']}", json={"summary_index_setting": {"enable": False}})
    assert changed.json["summary_index_setting"] == {
        "enable": False, "model_provider_name": None, "model_name": None, "summary_prompt": None}


def test_without_a_chat_model_it_cannot_be_switched_on(admin, sqlite_database):
    for reply in (admin.post("/datasets", json={"name": "A", "summary_index_setting": ON}),
                  admin.patch(f"/datasets/{base(None)}", json={"summary_index_setting": ON}),
                  admin.post("/datasets", json={"name": "B", "summary_index_setting": {
                      "enable": True, "model_provider_name": "openai", "model_name": "gpt-4o"}})):
        assert (reply.status_code, reply.json["code"]) == (400, "provider_not_initialize"), reply.text
    assert admin.post("/datasets", json={"name": "C", "summary_index_setting": {"enable": False}}).status_code == 201


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(fake, sqlite_database):
    made = base()
    document_id = put(made, manual(8))
    fake.answers["X-07"] = "<<fault:hang:60>>"
    child = subprocess.Popen([sys.executable, "-c", "from sparrow.knowledge import summaries; "
                              f"summaries.run({document_id!r})"], env=dict(os.environ))
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and (told(made, document_id) != ("waiting", 6, 8) or 8 not in asked(fake)):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert told(made, document_id) == ("waiting", 6, 8)
    fake.answers["X-07"] = "Sum-07."
    fake.requests.clear()
    assert summaries.run(document_id)
    assert asked(fake) == [7, 8]
    assert all(written(document_id).values())
    assert len(units_of(document_id, summary=True)) == 8


def test_a_busy_provider_is_waited_for(fake, sqlite_database):
    made = base()
    fake.answers["X-01"] = "<<fail:2:one:rate_limit>><<say:late>>"
    fake.answers["X-02"] = "<<fail:1:two:server>><<say:later>>"
    document_id = put(made, manual(3))
    summaries.run(document_id)
    assert written(document_id) == {1: "late", 2: "later", 3: summary(3)}
    assert asked(fake).count(1) == 3
    fake.fault = "server"
    other = put(made, manual(5, "Other"), "other.md")
    fake.requests.clear()
    summaries.run(other)
    row = documents.get(made, other)
    assert (row["summary_state"], row["indexing_status"]) == ("error", "completed")
    assert "fake-chat failed" in row["summary_error"]
    assert set(asked(fake)) == {1, 2, 3}  # the others are not tried
    fake.fault = None
    summaries.control(made, other, "retry")
    summaries.run(other)
    assert told(made, other) == ("", 0, 0)
    assert all(written(other).values())


def test_what_fails_is_told_and_the_rest_goes_on(fake, sqlite_database):
    made = base()
    fake.answers["X-02"] = "<<error:bad_request>>"
    fake.answers["X-05"] = "<<fault:garbage>>"
    document_id = put(made, manual(7))
    summaries.run(document_id)
    row = documents.get(made, document_id)
    assert told(made, document_id) == ("error", 5, 7)
    assert row["summary_error"].startswith("Summaries that could not be written: 2. ")
    assert [at for at, text in written(document_id).items() if not text] == [2, 5]
    fake.answers.update({"X-02": "Two.", "X-05": "Five."})
    fake.requests.clear()
    summaries.control(made, document_id, "retry")
    assert told(made, document_id) == ("waiting", 5, 7)
    summaries.run(document_id)
    assert asked(fake) == [2, 5]
    assert told(made, document_id) == ("", 0, 0)


def test_pause_cancel_archive_and_deletion_end_a_run(fake, sqlite_database):
    made = base()
    fake.answers["X-04"] = "<<fault:hang:60>>"
    document_id = put(made, manual(6))

    def interrupted(action) -> None:
        runner = threading.Thread(target=summaries.run, args=(document_id,))
        runner.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and 4 not in asked(fake):
            time.sleep(0.05)
        action()
        runner.join(15)
        assert not runner.is_alive()
        fake.requests.clear()

    interrupted(lambda: summaries.control(made, document_id, "pause"))
    assert told(made, document_id) == ("paused", 3, 6)
    assert summaries.run(document_id)
    assert not fake.requests
    summaries.control(made, document_id, "resume")
    interrupted(lambda: documents.set_status(made, [document_id], "archive"))
    assert told(made, document_id) == ("waiting", 3, 6)
    with db.write() as tx:
        tx.execute(jobs.delete())
    summaries.sweep()
    assert waiting() == []
    documents.set_status(made, [document_id], "un_archive")
    assert waiting() == [f"summaries:{document_id}"]
    interrupted(lambda: summaries.control(made, document_id, "cancel"))
    assert told(made, document_id) == ("", 0, 0)
    assert sum(map(bool, written(document_id).values())) == 3  # those that are written stay
    summaries.write(made, [document_id])
    interrupted(lambda: documents.delete(made, [document_id]))
    with db.read() as tx:
        for table in (t.segments, t.units, t.kept_summaries, t.embeddings):
            assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
    assert hits(animal(1), made) == []


def test_a_lost_job_is_queued_again(fake, sqlite_database, monkeypatch):
    monkeypatch.setattr(syncing, "check_all", lambda: None)
    document_id = put(base(), manual(1))
    with db.write() as tx:
        tx.execute(jobs.delete())
    documents.check_job({}, None)
    assert waiting() == [f"summaries:{document_id}"]


def test_other_jobs_come_between(fake, sqlite_database, monkeypatch):
    made = base()
    document_id = put(made, manual(7))
    with db.write() as tx:
        tx.execute(jobs.delete())
    monkeypatch.setattr(summaries, "TURN", -1.0)
    monkeypatch.setattr(chroma, "sync", lambda dataset_id: 0)  # it is away, and another job would wait for it
    context = type("Context", (), {"cancelled": lambda self: False, "progressed": lambda self, tx: None})()
    queue.submit("tidy", {}, key="tidy")
    summaries.run_job({"document_id": document_id}, context)
    assert told(made, document_id) == ("waiting", 3, 7)
    assert waiting() == [f"summaries:{document_id}"]
    with db.write() as tx:
        tx.execute(jobs.delete())
    summaries.run_job({"document_id": document_id}, context)  # nobody waits
    assert told(made, document_id) == ("", 0, 0)
    assert waiting() == []


def test_a_text_that_comes_again_keeps_its_summary(fake, sqlite_database):
    made = base()
    document_id = put(made, manual(4))
    summaries.run(document_id)
    edited(made, document_id, 2, summary="By hand: the walrus.")
    fake.requests.clear()
    text = manual(4).decode().replace("X-03", "X-33")
    documents.reindex(made, document_id, file_id=files.save(io.BytesIO(text.encode()), "manual.md")["id"])
    indexing.run(document_id)
    assert told(made, document_id) == ("waiting", 0, 1)
    assert hits("walrus", made)[0].position == 2  # before the job runs
    summaries.run(document_id)
    assert asked(fake) == [33]
    assert written(document_id)[2] == "By hand: the walrus."
    assert animal(33) in written(document_id)[3]
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(t.kept_summaries)).scalar() == 0


def test_an_edited_passage_gets_another_summary(fake, sqlite_database):
    made = base()
    document_id = put(made, manual(2))
    summaries.run(document_id)
    fake.requests.clear()
    row = edited(made, document_id, keywords=["pump"])  # what the summary is of is the same
    assert (row["summary"][:6], row["summary_due"]) == ("Sum-01", False)
    row = edited(made, document_id, content="The code is X-09 now.")
    assert (row["summary"][:6], row["summary_due"]) == ("Sum-01", True)
    assert told(made, document_id) == ("waiting", 0, 1)
    summaries.run(document_id)
    assert asked(fake) == [9]
    assert written(document_id)[1] == summary(9)
    assert hits(animal(1), made, "full_text_search") == []
    assert hits(animal(9), made)[0].by_summary
    with db.read() as tx:  # no vector of the former one is left
        assert tx.execute(sa.select(sa.func.count()).select_from(t.embeddings)).scalar() == 4
    added = segments.add(datasets.get(made), documents.get(made, document_id), [
        segments.NewSegment(content="The code is X-11."),
        segments.NewSegment(content="The code is X-12.", summary="Twelve by hand.")])
    assert [row["summary"] for row in added] == [None, "Twelve by hand."]
    summaries.run(document_id)
    assert asked(fake) == [9, 11]


@pytest.mark.parametrize("technique", ["high_quality", "economy"])
def test_a_summary_written_by_hand(fake, database, technique):
    made = base(None, indexing_technique=technique)
    document_id = put(made, manual(2))
    row = edited(made, document_id, summary="  The walrus hums.  ")
    assert row["summary"] == "The walrus hums."
    found = hits("walrus", made)[0]
    assert (found.position, found.by_summary) == (1, True)
    edited(made, document_id, summary="The okapi sings.")
    assert hits("walrus", made, "full_text_search") == []
    assert hits("okapi", made)[0].position == 1
    assert edited(made, document_id, content="Another text.")["summary"] == "The okapi sings."
    edited(made, document_id, enabled=False)
    assert [one.position for one in hits("okapi", made, "full_text_search")] == []
    edited(made, document_id, enabled=True)
    documents.set_status(made, [document_id], "disable")
    assert hits("okapi", made) == []
    documents.set_status(made, [document_id], "enable")
    assert hits("okapi", made)
    edited(made, document_id, summary="")
    assert hits("okapi", made, "full_text_search") == []
    assert units_of(document_id, summary=True) == []
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(t.embeddings)).scalar() == (
            2 if technique == "high_quality" else 0)


def test_a_parent_is_found_by_its_summary(fake, sqlite_database):
    made = base()
    document_id = put(made, manual(3), doc_form="hierarchical_model", process_rule={"mode": "hierarchical", "rules": {
        "pre_processing_rules": [], "segmentation": {"separator": "\n\n", "max_tokens": 60, "chunk_overlap": 0},
        "parent_mode": "paragraph", "subchunk_segmentation": {
            "separator": ".", "max_tokens": 20, "chunk_overlap": 0}}})
    summaries.run(document_id)
    for method in METHODS:
        assert hits(animal(2), made, method)[0].position == 2, method
    assert hits(animal(2), made, "full_text_search")[0].children == []


def test_questions_with_answers_get_none(fake, sqlite_database):
    made = base()
    document_id = put(made, b"question,answer\nWhat is X-01?,A code\n", "faq.csv", doc_form="qa_model")
    assert told(made, document_id) == ("", 0, 0)
    with pytest.raises(Exception, match="need no summaries"):
        summaries.write(made, [document_id])


def test_another_model_and_damaged_indexes_take_them_along(fake, sqlite_database, monkeypatch):
    import numpy as np

    from sparrow.knowledge import embed

    made = base()
    document_id = put(made, manual(3))
    summaries.run(document_id)
    with db.write() as tx:
        tx.exec_driver_sql("DROP TABLE knowledge_fts")
    mending.check(thoroughly=False)
    assert hits(animal(2), made, "full_text_search")[0].position == 2
    texts: list[str] = []

    def encode(self, given, kind="document"):
        texts.extend(given)
        return np.eye(len(given), 8, dtype=np.float32)

    monkeypatch.setattr(embed.Embedder, "encode", encode)
    datasets.update(made, {"embedding_model": "other", "embedding_model_provider": PROVIDER})
    reindex.run(made)
    assert datasets.get(made)["embedding_model"] == "other"
    assert sum("lives here" in text for text in texts) == 3
    assert sum("X-0" in text for text in texts) == 3


def test_a_base_travels_with_its_summaries(fake, sqlite_database, tmp_path):
    made = base()
    put(made, manual(3))
    document_id = put(made, manual(3, "Other").replace(b"X-0", b"X-1"), "other.md", doc_form=None)
    for row in documents.search(made)[0]:
        summaries.run(row["id"])
    target = tmp_path / "base.zip"
    target.write_bytes(b"".join(transfer.export(made)[1]))
    before = written(document_id)
    datasets.delete(made)
    with db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(t.embeddings)).scalar() == 0
    fake.requests.clear()
    assert transfer.load(target) == made
    assert written(document_id) == before
    assert all(before.values())
    assert datasets.get(made)["summary_index_setting"] == ON
    assert datasets.get(made)["next_embedding_model"] is None  # all vectors came along
    for number in (2, 12):
        found = hits(animal(number), made)[0]
        assert (found.by_summary, found.summary) == (True, summary(number))
    assert not fake.requests


def test_an_export_of_before_is_imported(fake, sqlite_database, tmp_path):
    import hashlib
    import zipfile

    made = base(None)
    document_id = put(made, manual(2))
    data = b"".join(transfer.export(made)[1])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    lines = [json.loads(line) for line in members["segments.jsonl"].splitlines()]
    for line in lines:
        del line["summary"], line["summary_vector"]
    members["segments.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    manifest = json.loads(members["manifest.json"])
    assert manifest["version"] == 2
    manifest["version"] = 1
    manifest["members"]["segments.jsonl"] = {"size": len(members["segments.jsonl"]), "sha256": hashlib.sha256(
        members["segments.jsonl"]).hexdigest()}
    members["manifest.json"] = json.dumps(manifest).encode()
    target = tmp_path / "old.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    datasets.delete(made)
    assert transfer.load(target) == made
    assert written(document_id) == {1: None, 2: None}
    assert hits("X-02", made)[0].position == 2


def test_summaries_of_documents_that_are_there(admin, fake, sqlite_database):
    made = base(None)
    first, second = put(made, manual(3)), put(made, manual(2, "Other"), "other.md")
    edited(made, first, 1, summary="By hand.")
    edited(made, first, 2, enabled=False)
    told_before = admin.post(f"/datasets/{made}/documents/summary-estimate", json={"document_list": [first, second]})
    assert told_before.status_code == 200, told_before.text
    assert (told_before.json["passages"], told_before.json["written"]) == (3, 1)
    assert told_before.json["model"] == {"provider": PROVIDER, "model": "fake-chat"}
    assert admin.post(f"/datasets/{made}/documents/generate-summary",
                      json={"document_list": [first, second]}).status_code == 200
    shown = {row["id"]: row for row in admin.get(f"/datasets/{made}/documents").json["data"]}
    assert (shown[first]["summary_total"], shown[second]["summary_total"]) == (1, 2)
    assert shown[first]["summary_index_status"] == "SUMMARIZING"
    assert shown[first]["display_status"] == "available"
    for document_id in (first, second):
        summaries.run(document_id)
    assert [bool(text) for text in written(first).values()] == [True, False, True]
    assert written(first)[1] == "By hand."
    fake.requests.clear()
    assert admin.post(f"/datasets/{made}/documents/generate-summary",
                      json={"document_list": [first], "again": True}).status_code == 200
    summaries.run(first)
    assert asked(fake) == [1, 3]
    assert admin.post(f"/datasets/{made}/documents/{first}/summary/pause").status_code == 400
    wrong = admin.post(f"/datasets/{made}/documents/generate-summary", json={"document_list": [made]})
    assert wrong.status_code == 404


def test_the_forecast_of_an_import_counts_them(admin, fake, sqlite_database):
    file = files.save(io.BytesIO(manual(4)), "manual.md")["id"]
    wanted, plain = base(), datasets.create("Plain")["id"]
    told_before = [admin.post("/datasets/import-estimate", json={
        "file_ids": [file], "dataset_id": one, "process_rule": RULE}).json for one in (plain, wanted)]
    assert [(one["passages"], one["vectors"]) for one in told_before] == [(4, 4), (4, 8)]


def test_an_index_without_room_is_told(fake, sqlite_database, monkeypatch):
    made = base()
    document_id = put(made, manual(2))
    monkeypatch.setattr(capacity, "memory", lambda: 1 << 20)
    summaries.run(document_id)
    row = documents.get(made, document_id)
    assert (row["summary_state"], len(fake.requests)) == ("error", 0)
    assert "MB of memory" in row["summary_error"]


def test_through_the_service_api(admin, app, fake, sqlite_database):
    client = app.test_client()
    headers = {"Authorization": f"Bearer {admin.post('/dataset-keys', json={'name': 'k'}).json['token']}"}
    made = client.post("/v1/datasets", headers=headers, json={
        "name": "Parts", "indexing_technique": "high_quality", "summary_index_setting": ON})
    assert made.status_code == 200, made.text
    assert made.json["summary_index_setting"]["enable"] is True
    base_id = made.json["id"]
    document_id = put(base_id, manual(2))
    summaries.run(document_id)
    at = f"/v1/datasets/{base_id}/documents/{document_id}/segments"
    listed = client.get(at, headers=headers).json["data"]
    assert [row["summary"][:6] for row in listed] == ["Sum-01", "Sum-02"]
    one = f"{at}/{listed[0]['id']}"
    changed = client.post(one, headers=headers, json={"segment": {"summary": "The walrus hums."}})
    assert changed.json["data"]["summary"] == "The walrus hums."
    kept = client.post(one, headers=headers, json={"segment": {"keywords": ["a"]}})
    assert kept.json["data"]["summary"] == "The walrus hums."
    asked_for = client.post(f"/v1/datasets/{base_id}/retrieve", headers=headers, json={"query": "walrus"})
    assert asked_for.json["records"][0]["summary"] == "The walrus hums."
    gone = client.post(one, headers=headers, json={"segment": {"summary": None}})
    assert gone.json["data"]["summary"] is None
    long = client.post(one, headers=headers, json={"segment": {"summary": "x" * (summaries.MAX_CHARS + 1)}})
    assert (long.status_code, long.json["code"]) == (400, "invalid_param")
    off = client.patch(f"/v1/datasets/{base_id}", headers=headers, json={"summary_index_setting": {"enable": False}})
    assert off.json["summary_index_setting"]["enable"] is False
    document = client.get(f"/v1/datasets/{base_id}/documents/{document_id}", headers=headers).json
    assert (document["summary_index_status"], document["need_summary"]) == (None, False)


def test_citations_carry_the_summary(fake, sqlite_database):
    from sparrow.apps import citations
    from sparrow.engine.ports import RetrievalRequest
    from sparrow.knowledge.port import Port

    made = base()
    document_id = put(made, manual(2))
    summaries.run(document_id)
    found = Port().retrieve(RetrievalRequest(animal(2), [made]))
    assert citations.of(found)[0]["summary"] == summary(2)


def test_a_chat_model_that_is_gone_is_told(admin, fake, sqlite_database):
    made = base()
    document_id = put(made, manual(2))
    admin.post("/default-models", json={"llm": None})
    summaries.run(document_id)
    assert "No chat model is set up" in documents.get(made, document_id)["summary_error"]
    assert hits("X-01", made)
