"""Management of knowledge through the console's API: re-chunking, retries, tags, metadata, use, numbers, reading."""

from __future__ import annotations

import io

import pytest

from tests.fake_llm import FakeLLM
from tests.knowledge.test_console import TEXT, ask, upload


@pytest.fixture
def dataset(admin) -> dict:
    """An empty base."""
    return admin.post("/datasets", json={"name": "Manuals"}).json


def rule(tokens: int, overlap: int = 0) -> dict:
    """Return a process rule that cuts at lines."""
    return {"mode": "custom", "rules": {"segmentation": {
        "separator": "\n", "max_tokens": tokens, "chunk_overlap": overlap}}}


def test_documents_are_cut_anew_after_a_preview(admin, dataset):
    from sparrow.knowledge import indexing

    documents = [upload(admin, dataset, name, (TEXT * 3).encode()) for name in ("a.md", "b.md")]
    path = f"/datasets/{dataset['id']}/documents"
    preview = admin.post("/datasets/indexing-estimate", json={
        "dataset_id": dataset["id"], "document_id": documents[0]["id"], "process_rule": rule(20)})
    assert preview.json["total_segments"] > documents[0]["segment_count"]
    chosen = [document["id"] for document in documents]
    bad = admin.post(f"{path}/rechunk", json={"document_ids": chosen, "process_rule": rule(5)})
    assert bad.status_code == 400
    assert admin.get(f"{path}/{chosen[0]}").json["display_status"] == "available"
    assert admin.post(f"{path}/rechunk", json={"document_ids": chosen, "process_rule": rule(20)}).status_code == 200
    for one in chosen:
        indexing.run(one)
        assert admin.get(f"{path}/{one}").json["segment_count"] == preview.json["total_segments"]


def test_all_failed_documents_are_tried_again(admin, dataset):
    failed = [upload(admin, dataset, f"{number}.pdf", b"%PDF-1.7 broken") for number in range(2)]
    assert {document["display_status"] for document in failed} == {"error"}
    assert admin.get(f"/datasets/{dataset['id']}/statistics").json["failed"] == 2
    file = admin.post("/files/upload", data={"file": (io.BytesIO(TEXT.encode()), "stopped.md")}).json
    stopped = admin.post(f"/datasets/{dataset['id']}/documents", json={"file_ids": [file["id"]]}).json["documents"][0]
    assert admin.post(f"/datasets/{dataset['id']}/documents/{stopped['id']}/cancel").status_code == 200
    assert admin.post(f"/datasets/{dataset['id']}/documents/retry").json == {"retried": 2}
    assert admin.get(f"/datasets/{dataset['id']}/documents/{stopped['id']}").json["error_code"] == "cancelled"
    assert admin.post(f"/datasets/{dataset['id']}/documents/{stopped['id']}/retry").status_code == 200
    assert admin.post(f"/datasets/{dataset['id']}/documents/retry").json == {"retried": 0}
    listed = admin.get(f"/datasets/{dataset['id']}/documents").json["data"]
    assert {document["display_status"] for document in listed} == {"queuing"}


def test_documents_are_listed_in_any_order_and_by_state(admin, dataset):
    from sparrow.knowledge.retrieve import usage

    path = f"/datasets/{dataset['id']}/documents"
    valve = "# Valve\n\nThe valve V-9 opens at 3 bar."
    for name, text in (("b.md", valve), ("A.md", TEXT), ("torn.pdf", "%PDF-1.7 torn")):
        upload(admin, dataset, name, text.encode())
    found = ask(admin, dataset, "V-9", top_k=1, search_method="full_text_search")
    assert found[0]["segment"]["document"]["name"] == "b.md"
    usage.flush()

    def names(**query) -> list[str]:
        return [document["name"] for document in admin.get(path, query_string=query).json["data"]]

    assert names() == ["torn.pdf", "A.md", "b.md"]
    assert names(sort="created_at") == ["b.md", "A.md", "torn.pdf"]
    assert names(sort="name") == ["A.md", "b.md", "torn.pdf"]
    assert names(sort="-word_count") == ["A.md", "b.md", "torn.pdf"]
    assert names(sort="-hit_count") == ["b.md", "torn.pdf", "A.md"]
    assert names(status="error") == ["torn.pdf"]
    assert names(status="available", sort="-name") == ["b.md", "A.md"]
    for wrong in ({"sort": "rowid"}, {"status": "odd"}):
        refused = admin.get(path, query_string=wrong)
        assert (refused.status_code, refused.json["params"]) == (400, next(iter(wrong)))


def test_tags_are_listed_filtered_renamed_and_deleted(admin, dataset):
    other = admin.post("/datasets", json={"name": "Other"}).json
    admin.put(f"/datasets/{dataset['id']}/tags", json={"names": ["pumps", "水泵"]})
    tags = {tag["name"]: tag for tag in admin.get("/dataset-tags").json["data"]}
    assert tags["水泵"]["binding_count"] == "1"
    found = admin.get(f"/datasets?tag_ids={tags['pumps']['id']}").json
    assert [base["id"] for base in found["data"]] == [dataset["id"]]
    assert admin.get("/datasets").json["total"] == 2
    assert admin.patch(f"/dataset-tags/{tags['pumps']['id']}", json={"name": "machines"}).json["name"] == "machines"
    assert admin.patch(f"/dataset-tags/{tags['pumps']['id']}", json={"name": "水泵"}).status_code == 400
    assert admin.delete(f"/dataset-tags/{tags['pumps']['id']}").status_code == 200
    shown = admin.get(f"/datasets/{dataset['id']}").json
    assert [tag["name"] for tag in shown["tags"]] == ["水泵"]
    assert admin.get(f"/datasets/{other['id']}").json["tags"] == []


def test_a_base_knows_its_apps_until_they_let_it_go(admin, dataset):
    chat = admin.post("/apps", json={"name": "Helper", "mode": "chat"}).json
    flow = admin.post("/apps", json={"name": "Flow", "mode": "workflow"}).json
    config = admin.get(f"/apps/{chat['id']}/model-config").json
    config["dataset_configs"]["datasets"]["datasets"] = [{"dataset": {"enabled": True, "id": dataset["id"]}}]
    assert admin.post(f"/apps/{chat['id']}/model-config", json=config).status_code == 200
    draft = admin.get(f"/apps/{flow['id']}/workflows/draft").json
    draft["graph"]["nodes"].append({"id": "k", "position": {"x": 0, "y": 0}, "data": {
        "type": "knowledge-retrieval", "title": "Find", "dataset_ids": [dataset["id"]],
        "query_variable_selector": ["start", "q"], "retrieval_mode": "multiple"}})
    saved = admin.post(f"/apps/{flow['id']}/workflows/draft", json=draft)
    assert saved.status_code == 200, saved.text
    related = admin.get(f"/datasets/{dataset['id']}/related-apps").json
    assert sorted(app["name"] for app in related["data"]) == ["Flow", "Helper"]
    assert admin.get(f"/datasets/{dataset['id']}").json["app_count"] == 2
    refused = admin.delete(f"/datasets/{dataset['id']}")
    assert (refused.status_code, refused.json["code"]) == (409, "dataset_in_use")
    admin.delete(f"/apps/{flow['id']}")
    config["dataset_configs"]["datasets"]["datasets"] = []
    admin.post(f"/apps/{chat['id']}/model-config", json=config)
    assert admin.get(f"/datasets/{dataset['id']}/related-apps").json["total"] == 0
    assert admin.delete(f"/datasets/{dataset['id']}").status_code == 200


def test_statistics_count_what_is_there(admin, dataset):
    from sparrow.knowledge.retrieve import usage

    document = upload(admin, dataset, "pump.md", TEXT.encode())
    assert ask(admin, dataset, "working pressure of the pump")
    usage.flush()
    found = admin.get(f"/datasets/{dataset['id']}/statistics").json
    assert found["documents"] == found["available_documents"] == 1
    assert found["segments"] == document["segment_count"]
    assert found["bytes_files"] == len(TEXT.encode())
    assert found["bytes_text"] > 200
    assert found["bytes_vectors"] == found["vectors"] * 4 * admin_dimension(dataset)
    assert found["hits"] > 0
    assert found["most_found"] == [{"id": document["id"], "name": "pump.md", "hits": found["hits"]}]
    assert found["queries_30_days"] == 1
    room = admin.get(f"/datasets/{dataset['id']}/capacity").json
    assert room["fits"]
    assert room["bytes_per_10k"] > 10_000 * 4 * admin_dimension(dataset)


def admin_dimension(dataset: dict) -> int:
    """Return how many numbers the base's vectors have."""
    from sparrow.knowledge import datasets

    return datasets.get(dataset["id"])["embedding_dimension"]


def test_a_document_reads_as_one_text_around_a_passage(admin, dataset):
    text = "\n".join(f"Line {number} tells of valve V-{number:03}." for number in range(300))
    document = upload(admin, dataset, "long.txt", text.encode(), process_rule=rule(40, 15))
    assert document["segment_count"] > 60
    path = f"/datasets/{dataset['id']}/documents/{document['id']}"
    hit = ask(admin, dataset, "V-150", search_method="full_text_search", top_k=1, reranking_enable=False,
              score_threshold_enabled=False)[0]["segment"]
    around = admin.get(f"{path}/text?segment={hit['id']}").json
    assert hit["id"] in [piece["segment_id"] for piece in around["pieces"]]
    assert around["document"]["name"] == "long.txt"
    whole, start = [], 0
    while start < around["total"]:
        page = admin.get(f"{path}/text?start={start}").json
        whole += [piece["text"] for piece in page["pieces"]]
        start += len(page["pieces"])
    joined = "\n".join(whole)
    for number in range(300):
        assert joined.count(f"V-{number:03}") == 1, number  # read once, though the passages overlap
    assert admin.get(f"{path}/text?start=100000").json["pieces"] == []
    assert admin.get(f"{path}/text?segment=nope").status_code == 404


def test_another_embedding_model_is_taken_with_progress_and_can_be_given_up(admin, dataset):
    from sparrow.knowledge import reindex

    upload(admin, dataset, "pump.md", TEXT.encode(), process_rule=rule(20))
    path = f"/datasets/{dataset['id']}"
    assert admin.get(f"{path}/reindex").json == {"reindex": None}
    assert admin.post(f"{path}/reindex").status_code == 400
    with FakeLLM() as fake:
        provider = "/model-providers/openai_api_compatible"
        made = admin.post(f"{provider}/credentials", json={"name": "fake", "base_url": fake.base_url, "api_key": "k"})
        assert made.status_code == 201, made.text
        added = admin.post(f"{provider}/models", json={"model": "fake-embed", "type": "text-embedding"})
        assert added.status_code == 201, added.text
        for given_up in (True, False):
            changed = admin.patch(path, json={"embedding_model": "fake-embed",
                                              "embedding_model_provider": "openai_api_compatible"})
            assert changed.json["next_embedding_model"] == "fake-embed"
            state = admin.get(f"{path}/reindex").json["reindex"]
            assert (state["model"], state["state"], state["done"]) == ("fake-embed", "queued", 0)
            assert state["total"] > 3
            if given_up:
                assert admin.delete(f"{path}/reindex").status_code == 200
                assert admin.get(f"{path}/reindex").json == {"reindex": None}
        reindex.run(dataset["id"])
        assert admin.get(path).json["embedding_model"] == "fake-embed"
        assert admin.get(f"{path}/reindex").json == {"reindex": None}
        assert ask(admin, dataset, "working pressure")


def test_questions_are_made_for_the_preview_and_asked_for_without_a_model(admin):
    file = admin.post("/files/upload", data={"file": (io.BytesIO(TEXT.encode()), "pump.md")}).json
    body = {"file_id": file["id"], "doc_form": "qa_model"}
    assert admin.post("/datasets/indexing-estimate", json=body).json["code"] == "model_needed"
    written = admin.post("/files/upload", data={"file": (
        io.BytesIO(b"question,answer\nWhich pressure?,2.2 bar\nWhen to change the oil?,Every 500 hours\n"),
        "faq.csv")}).json
    found = admin.post("/datasets/indexing-estimate", json={**body, "file_id": written["id"]})
    assert found.json["qa_preview"][0] == {"question": "Which pressure?", "answer": "2.2 bar"}


def test_apps_made_before_their_bases_were_noted_are_found(database):
    from sparrow.apps import app, knowledge_use, version
    from sparrow.knowledge import datasets
    from sparrow.storage import db, migrate
    from sparrow.storage.tables.knowledge import app_datasets

    base = datasets.create("Manuals")["id"]
    made = app.create("Helper", "workflow")
    version.save_draft(made.id, {"features": {}, "graph": {"edges": [], "nodes": [
        {"id": "1", "data": {"type": "knowledge-retrieval", "dataset_ids": [base]}}]}})
    assert datasets.apps_of(base) == [made.id]
    assert knowledge_use.record_all() == 0
    with db.write() as tx:  # as a release left it that did not note them
        tx.execute(app_datasets.delete())
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
    db.reset()  # a migration is a start of its own
    migrate.upgrade()
    assert knowledge_use.record_all() == 1
    assert datasets.apps_of(base) == [made.id]
    assert knowledge_use.record_all() == 0


@pytest.mark.parametrize("mode", ["text_model", "hierarchical_model"])
def test_a_passage_switched_off_is_not_found_by_any_method(database, mode):
    from sparrow.knowledge import datasets, documents, indexing, segments
    from sparrow.knowledge.retrieve import retrieve
    from sparrow.storage import db, migrate
    from sparrow.storage.tables import knowledge as t

    base = datasets.create("Manuals")["id"]
    rule = {"mode": "hierarchical" if mode == "hierarchical_model" else "custom", "rules": {
        "pre_processing_rules": [], "segmentation": {"separator": "\n\n", "max_tokens": 60, "chunk_overlap": 0},
        "parent_mode": "paragraph", "subchunk_segmentation": {
            "separator": "\n", "max_tokens": 30, "chunk_overlap": 0}}}
    row, _ = documents.add_text(base, "pump.md", "# Pump\n\nThe pump P-17 needs oil every week.\n\n# Valve\n\n"
                             "The valve opens at four bar.", process_rule=rule, doc_form=mode)
    indexing.run(row["id"])
    document, dataset = documents.get(base, row["id"]), datasets.get(base)
    pump = next(one for one in segments.search(document["id"])[0] if "P-17" in one["content"])

    def found() -> set[bool]:
        return {any(passage.segment_id == pump["id"] for passage in retrieve(
            "oil for the pump P-17", [base], {"search_method": method, "top_k": 5}, count_hits=False))
            for method in ("hybrid_search", "semantic_search", "full_text_search")}

    assert found() == {True}
    segments.update(dataset, document, pump, enabled=False)
    assert found() == {False}
    pump = segments.update(dataset, document, segments.get(base, pump["id"]), content="The pump P-17 drinks oil.")
    assert not pump["enabled"]
    assert found() == {False}  # a changed text is indexed anew, and stays off
    if mode == "hierarchical_model":
        segments.add_child(dataset, pump, "Oil for the pump P-17.")
        assert found() == {False}
    with db.write() as tx:  # as a release left it whose units did not know
        before = tx.execute(t.units.select().order_by(t.units.c.serial)).all()
        for column in ("heading", "enabled"):
            tx.exec_driver_sql(f"ALTER TABLE knowledge_units DROP COLUMN {column}")
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0005'")
    db.reset()  # a migration is a start of its own
    migrate.upgrade()
    with db.read() as tx:
        assert tx.execute(t.units.select().order_by(t.units.c.serial)).all() == before
    assert found() == {False}
    segments.update(dataset, document, segments.get(base, pump["id"]), enabled=True)
    assert found() == {True}


def test_a_change_whose_text_cannot_be_embedded_changes_nothing(sqlite_database, monkeypatch):
    from sparrow.knowledge import datasets, documents, indexing, segments
    from sparrow.knowledge.embed import EmbedderError

    base = datasets.create("Manuals")["id"]
    row, _ = documents.add_text(base, "pump.md", "# Pump\n\nThe pump P-17 needs oil every week.")
    indexing.run(row["id"])
    document, pump = documents.get(base, row["id"]), segments.search(row["id"])[0][0]

    def away(*_: object) -> None:
        raise EmbedderError("The server is away.")

    monkeypatch.setattr(segments, "_embed", away)
    with pytest.raises(EmbedderError):
        segments.update(datasets.get(base), document, pump, content="The pump drinks oil.", enabled=False)
    now = segments.get(base, pump["id"])
    assert (now["content"], now["enabled"]) == (pump["content"], True)
