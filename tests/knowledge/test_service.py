"""The knowledge endpoints of the service API, as Dify's clients call them."""

from __future__ import annotations

import io
import json
import uuid

import pytest


def test_a_base_from_birth_to_death(call):
    from sparrow.knowledge import indexing

    base = call("POST", "/datasets", json={"name": "api base"})
    assert base.status_code == 200, base.text
    path = f"/datasets/{base.json['id']}"
    assert call("POST", "/datasets", json={"name": "api base"}).json["code"] == "dataset_name_duplicate"
    refused = call("POST", f"{path}/document/create_by_text", json={"name": "a", "text": "b"})
    assert refused.status_code == 400
    assert "indexing_technique" in refused.json["message"]
    made = call("POST", f"{path}/document/create_by_text", json={
        "name": "valve.md", "text": "# Valve\n\nThe valve opens at 3 bar.", "indexing_technique": "high_quality",
        "process_rule": {"mode": "automatic"}})
    assert made.status_code == 200, made.text
    document, batch = made.json["document"], made.json["batch"]
    assert call("GET", f"{path}/documents/{batch}/indexing-status").json["data"][0]["indexing_status"] == "waiting"
    indexing.run(document["id"])
    status = call("GET", f"{path}/documents/{batch}/indexing-status").json["data"][0]
    assert status["indexing_status"] == "completed"
    assert status["completed_segments"] == status["total_segments"] == 1
    for alias in ("retrieve", "hit-testing"):
        found = call("POST", f"{path}/{alias}", json={"query": "when does the valve open"})
        assert "3 bar" in found.json["records"][0]["segment"]["content"]
    file = call("POST", f"{path}/document/create-by-file", data={
        "data": json.dumps({"indexing_technique": "high_quality", "process_rule": {"mode": "automatic"}}),
        "file": (io.BytesIO("泵的工作压力是 2.2 bar。".encode("gb18030")), "泵.txt")})
    assert file.status_code == 200, file.text
    indexing.run(file.json["document"]["id"])
    found = call("POST", f"{path}/retrieve", json={"query": "工作压力", "retrieval_model": {
        "search_method": "full_text_search", "reranking_enable": False, "top_k": 2,
        "score_threshold_enabled": False}})
    assert "2.2 bar" in found.json["records"][0]["segment"]["content"]

    segments = f"{path}/documents/{document['id']}/segments"
    added = call("POST", segments, json={"segments": [{"content": "Second passage", "keywords": ["two"]}]})
    segment = added.json["data"][0]
    assert call("GET", segments).json["total"] == 2
    changed = call("POST", f"{segments}/{segment['id']}", json={"segment": {"content": "Changed", "enabled": True}})
    assert changed.json["data"]["content"] == "Changed"
    assert call("DELETE", f"{segments}/{segment['id']}").status_code == 204

    field = call("POST", f"{path}/metadata", json={"name": "year", "type": "number"})
    assert field.status_code == 201
    call("POST", f"{path}/documents/metadata", json={"operation_data": [{
        "document_id": document["id"], "metadata_list": [{"id": field.json["id"], "name": "year", "value": 2024}]}]})
    for year, hits in ((2024, 1), (1999, 0)):
        found = call("POST", f"{path}/retrieve", json={"query": "valve", "retrieval_model": {
            "search_method": "hybrid_search", "reranking_enable": False, "top_k": 4,
            "score_threshold_enabled": False, "metadata_filtering_conditions": {
                "logical_operator": "and",
                "conditions": [{"name": "year", "comparison_operator": "=", "value": year}]}}})
        assert len(found.json["records"]) == hits, found.json
    tag = call("POST", "/datasets/tags", json={"name": "pumps"}).json
    assert call("POST", "/datasets/tags/binding", json={
        "tag_ids": [tag["id"]], "target_id": base.json["id"]}).status_code == 204
    assert call("GET", f"{path}/tags").json["total"] == 1
    assert call("PATCH", f"{path}/documents/status/disable", json={
        "document_ids": [document["id"]]}).json == {"result": "success"}
    assert call("GET", f"{path}/documents/{document['id']}").json["display_status"] == "disabled"
    assert call("DELETE", f"{path}/documents/{document['id']}").status_code == 204
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404


def test_only_a_knowledge_key_opens_it(app, call):
    assert app.test_client().get("/v1/datasets").status_code == 401
    wrong = app.test_client().get("/v1/datasets", headers={"Authorization": "Bearer app-123"})
    assert wrong.json["code"] == "unauthorized"
    assert call("GET", "/datasets?page=1&limit=500").json["limit"] == 100


def test_parent_child_chunks(call):
    from sparrow.knowledge import indexing

    base = call("POST", "/datasets", json={"name": "parents"}).json
    path = f"/datasets/{base['id']}"
    made = call("POST", f"{path}/document/create-by-text", json={
        "name": "p", "text": "One line.\nAnother line.", "indexing_technique": "high_quality",
        "doc_form": "hierarchical_model", "process_rule": {"mode": "hierarchical", "rules": {
            "pre_processing_rules": [], "segmentation": {"separator": "\n\n", "max_tokens": 400},
            "parent_mode": "paragraph", "subchunk_segmentation": {"separator": "\n", "max_tokens": 100}}}}).json
    indexing.run(made["document"]["id"])
    segment = call("GET", f"{path}/documents/{made['document']['id']}/segments").json["data"][0]
    assert [child["content"] for child in segment["child_chunks"]] == ["One line.", "Another line."]
    children = f"{path}/documents/{made['document']['id']}/segments/{segment['id']}/child_chunks"
    child = call("POST", children, json={"content": "The third is about zebras."}).json["data"]
    found = call("POST", f"{path}/retrieve", json={"query": "zebras"}).json["records"][0]
    assert found["child_chunks"][0]["id"] == child["id"]
    assert call("PATCH", f"{children}/{child['id']}", json={"content": "Now about lions."}).status_code == 200
    assert call("GET", children).json["total"] == 3
    assert call("DELETE", f"{children}/{child['id']}").status_code == 204


def document_of(call, name: str = "errors") -> tuple[str, str]:
    """Make a base with an indexed document; return both paths."""
    from sparrow.knowledge import indexing

    path = f"/datasets/{call('POST', '/datasets', json={'name': name}).json['id']}"
    made = call("POST", f"{path}/document/create-by-text", json={
        "name": "a", "text": "Some text.", "indexing_technique": "high_quality"}).json["document"]
    indexing.run(made["id"])
    return path, f"{path}/documents/{made['id']}"


@pytest.mark.parametrize(("provider", "model"), [
    ("nowhere", "m"), ("langgenius/openai/openai", "text-embedding-3-small"), ("", "unknown")])
def test_an_embedding_model_that_is_not_set_up_is_refused(call, provider, model):
    from sparrow.knowledge import datasets

    given = {"embedding_model": model, "embedding_model_provider": provider}
    refused = call("POST", "/datasets", json={"name": "x", "indexing_technique": "high_quality", **given})
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_param")  # as Dify: a value error
    base = call("POST", "/datasets", json={"name": "y"}).json["id"]
    refused = call("PATCH", f"/datasets/{base}", json=given)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_param")
    text = {"name": "a", "text": "b", "indexing_technique": "high_quality", **given}
    file = {"data": json.dumps({"indexing_technique": "high_quality", **given}), "file": (io.BytesIO(b"text"), "a.txt")}
    for refused in (call("POST", f"/datasets/{base}/document/create-by-text", json=text),
                    call("POST", f"/datasets/{base}/document/create-by-file", data=file)):
        assert (refused.status_code, refused.json["code"]) == (400, "provider_not_initialize"), refused.json
    assert call("GET", f"/datasets/{base}/documents").json["total"] == 0
    assert datasets.search()[1] == 1


def test_an_embedding_model_that_is_set_up_is_taken(call, admin):
    from tests.fake_llm import FakeLLM

    with FakeLLM() as fake:
        provider = "/model-providers/openai"
        admin.post(f"{provider}/credentials", json={"name": "f", "base_url": fake.base_url, "api_key": "k"})
        given = {"indexing_technique": "high_quality", "embedding_model_provider": "langgenius/openai/openai"}
        made = call("POST", "/datasets", json={"name": "a", "embedding_model": "text-embedding-3-small", **given})
        assert made.status_code == 200, made.text
        other = call("POST", "/datasets", json={"name": "b", "embedding_model": "fake-embed", **given})
        assert (other.status_code, other.json["code"]) == (400, "invalid_param")
        admin.post(f"{provider}/models", json={"model": "fake-embed", "type": "text-embedding"})
        other = call("POST", "/datasets", json={"name": "b", "embedding_model": "fake-embed", **given})
        assert other.status_code == 200, other.text


def test_what_is_made_names_its_maker(call):
    """Clients that check ids take no empty one."""
    path, document = document_of(call)
    made = [call("GET", path).json, call("GET", document).json, call("GET", f"{document}/segments").json["data"][0],
            call("POST", f"{path}/retrieve", json={"query": "text"}).json["records"][0]["segment"]]
    makers = {one["created_by"] for one in made}
    assert len(makers) == 1
    assert uuid.UUID(makers.pop())
    call("PATCH", f"{path}/documents/status/disable", json={"document_ids": [document.rpartition("/")[2]]})
    assert call("GET", document).json["disabled_by"] == made[0]["created_by"]


def test_a_model_that_went_away_is_named_by_retrieve_and_by_chunks(call):
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    path, document = document_of(call)
    with db.write() as tx:
        tx.execute(t.datasets.update().values(embedding_model="m", embedding_model_provider="openai"))
    for refused in (call("POST", f"{path}/retrieve", json={"query": "text"}),
                    call("POST", f"{document}/segments", json={"segments": [{"content": "more"}]})):
        assert (refused.status_code, refused.json["code"]) == (400, "provider_not_initialize"), refused.json


@pytest.mark.parametrize("name", ["program.exe", "old.doc", "archive.zip", "photo.PNG"])
def test_a_file_of_a_type_that_is_not_read_is_refused(call, name, sqlite_database):
    path, document = document_of(call)
    before = {file for file in (sqlite_database / "files").rglob("*") if file.is_file()}
    for place in (f"{path}/document/create-by-file", f"{path}/document/create_by_file", f"{document}/update-by-file"):
        refused = call("POST", place, data={"data": "{}", "file": (io.BytesIO(b"text"), name)})
        assert (refused.status_code, refused.json["code"]) == (415, "unsupported_file_type"), refused.json
    assert ("save it as a .docx" in refused.json["message"]) == (name == "old.doc")
    assert call("GET", f"{path}/documents").json["total"] == 1
    assert {file for file in (sqlite_database / "files").rglob("*") if file.is_file()} == before
    taken = call("POST", f"{path}/document/create-by-file", data={
        "data": "{}", "file": (io.BytesIO(b"text"), "README")})
    assert taken.status_code == 200, taken.text


def test_an_archived_document_is_not_edited(call):
    path, document = document_of(call)
    segment = call("GET", f"{document}/segments").json["data"][0]["id"]
    assert call("PATCH", f"{path}/documents/status/archive", json={
        "document_ids": [document.rpartition("/")[2]]}).status_code == 200
    one = f"{document}/segments/{segment}"
    for refused in (call("POST", f"{document}/segments", json={"segments": [{"content": "more"}]}),
                    call("POST", one, json={"segment": {"content": "other"}}),
                    call("POST", one, json={"segment": {"enabled": False}}),
                    call("DELETE", one), call("POST", f"{one}/child_chunks", json={"content": "part"}),
                    call("POST", f"{document}/update-by-text", json={"name": "b", "text": "c"}),
                    call("DELETE", document)):
        assert (refused.status_code, refused.json["code"]) == (403, "archived_document_immutable"), refused.json
    assert call("GET", f"{document}/segments").json["total"] == 1


def test_a_base_closed_to_the_api_says_so_everywhere(call):
    from sparrow.knowledge import datasets

    path, document = document_of(call)
    datasets.update(path.rpartition("/")[2], {"enable_api": False})
    for refused in (call("GET", path), call("GET", f"{document}/segments"),
                    call("POST", "/datasets/x/documents/y/segments", json={"segments": []}),
                    call("POST", f"{path}/documents/00000000-0000-0000-0000-000000000000/segments",
                         json={"segments": [{"content": "more"}]})):
        assert refused.status_code in (403, 404)
    assert refused.json["code"] == "forbidden"
