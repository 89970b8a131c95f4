"""What the knowledge endpoints refuse: fields of a wrong type, with 400 and their name; nothing is left of it."""

from __future__ import annotations

import io
import json

import pytest

RETRIEVAL = {"search_method": "hybrid_search", "reranking_enable": False, "top_k": 3, "score_threshold_enabled": False}


@pytest.fixture
def base(call):
    """Ids of a base, its document and a metadata field, as a path needs them."""
    from sparrow.knowledge import indexing

    dataset = call("POST", "/datasets", json={"name": "Manuals", "indexing_technique": "high_quality"}).json["id"]
    document = call("POST", f"/datasets/{dataset}/document/create-by-text",
                    json={"name": "a.md", "text": "The valve opens at 3 bar."}).json["document"]["id"]
    indexing.run(document)
    field = call("POST", f"/datasets/{dataset}/metadata", json={"name": "year", "type": "number"}).json["id"]
    return {"dataset": dataset, "document": document, "field": field}


def conditions(**changes) -> dict:
    entry = {"name": "year", "comparison_operator": "=", "value": 1} | changes
    return {"metadata_filtering_conditions": {"logical_operator": "and", "conditions": [
        {key: value for key, value in entry.items() if value is not None}]}}


@pytest.mark.parametrize("change", [
    {"reranking_enable": "maybe"}, {"score_threshold_enabled": "q"}, {"reranking_mode": "bad"},
    {"reranking_model": "x"}, {"weights": "x"}, {"weights": {"vector_setting": "x"}},
    {"weights": {"weight_type": "bad"}}, {"weights": {"keyword_setting": {"keyword_weight": "much"}}},
    {"weights": {"vector_setting": {"vector_weight": 7}}}, {"top_k": 1.5}, {"metadata_filtering_conditions": "x"},
    {"metadata_filtering_conditions": {"logical_operator": "xor", "conditions": []}}, conditions(name=None),
    conditions(comparison_operator="nearly"), conditions(value={"a": 1})], ids=str)
def test_retrieval_settings_that_do_not_fit(call, base, change):
    model = RETRIEVAL | change
    for method, path, body in (
            ("POST", "/datasets", {"name": "Another", "retrieval_model": model}),
            ("PATCH", f"/datasets/{base['dataset']}", {"retrieval_model": model}),
            ("POST", f"/datasets/{base['dataset']}/retrieve", {"query": "x", "retrieval_model": model}),
            ("POST", f"/datasets/{base['dataset']}/document/create-by-text",
             {"name": "b", "text": "b", "retrieval_model": model})):
        answer = call(method, path, json=body)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_param"), (path, answer.json)
    assert call("GET", "/datasets").json["total"] == 1


def test_what_a_client_leaves_open_is_empty_or_absent(call, base):
    for model in ({"top_k": 5}, {"search_method": "", "reranking_mode": "", "weights": {"weight_type": ""}}):
        found = call("POST", f"/datasets/{base['dataset']}/retrieve", json={"query": "x", "retrieval_model": model})
        assert found.status_code == 200, found.json


def test_an_external_base_needs_its_server(call):
    for more in ({}, {"external_knowledge_api_id": "01a22dd6-11b8-73a7-ac0a-43276a512f08"}):
        answer = call("POST", "/datasets", json={"name": "Away", "provider": "external", **more})
        assert (answer.status_code, answer.json["params"]) == (400, "external_knowledge_api_id")


def test_an_apps_own_strange_weights_do_not_end_its_runs():
    from sparrow.knowledge.retrieve import settings

    weights = {"vector_setting": "x", "keyword_setting": {"keyword_weight": "y"}}
    assert settings.parse({"weights": weights}).weights is None


@pytest.mark.parametrize(("path", "body"), [
    ("documents/metadata", {"operation_data": [{}]}),
    ("documents/metadata", {"operation_data": [{"document_id": "{document}"}]}),
    ("documents/metadata", {"operation_data": [{"document_id": "{document}", "metadata_list": "x"}]}),
    ("documents/metadata", {"operation_data": [{"document_id": "{document}", "metadata_list": [{"name": "year"}]}]}),
    ("documents/metadata", {"operation_data": [{"document_id": "{document}", "metadata_list": [
        {"id": "{field}", "name": "year", "value": [1]}]}]}),
    ("documents/metadata", {"operation_data": [{"document_id": "{document}", "metadata_list": [],
                                                "partial_update": "zz"}]}),
    ("documents/{document}/segments", {"segments": [{"content": "x", "keywords": "k"}]}),
    ("documents/{document}/segments", {"segments": [{"content": "x", "keywords": [5]}]}),
    ("documents/{document}/segments", {"segments": [{"content": "x", "answer": 5}]}),
    ("documents/{document}/segments", {"segments": [{"content": "x"}, {"answer": "y"}]}),
    ("documents/{document}/update-by-text", {"name": "a", "text": "b", "doc_form": "bad"}),
    ("document/create-by-text", {"name": "a", "text": "b", "process_rule": {"mode": "custom", "rules": {
        "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": "zz"}]}}}),
    ("../tags/binding", {"target_id": "{dataset}"}), ("../tags/binding", {"target_id": "{dataset}", "tag_ids": []}),
    ("../tags/unbinding", {"target_id": "{dataset}"})], ids=str)
def test_bodies_that_do_not_fit(call, base, path, body):
    def fill(text: str) -> str:
        for name, value in base.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    place = "/datasets/" + (path[3:] if path.startswith("../") else f"{base['dataset']}/{fill(path)}")
    before = call("GET", f"/datasets/{base['dataset']}/documents/{base['document']}/segments").json["total"]
    answer = call("POST", place, json=json.loads(fill(json.dumps(body))))
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_param"), answer.json
    segments = call("GET", f"/datasets/{base['dataset']}/documents/{base['document']}/segments").json
    assert segments["total"] == before == 1


def test_a_refused_first_document_settles_nothing_and_leaves_no_file(call):
    from sparrow.storage import db

    path = f"/datasets/{call('POST', '/datasets', json={'name': 'New'}).json['id']}"
    wrong = {"indexing_technique": "economy", "process_rule": {"mode": "bad"},
             "retrieval_model": RETRIEVAL | {"top_k": 9}}
    text = call("POST", f"{path}/document/create-by-text", json={"name": "a", "text": "b", **wrong})
    file = call("POST", f"{path}/document/create-by-file",
                data={"file": (io.BytesIO(b"text"), "a.md"), "data": json.dumps(wrong)})
    assert text.status_code == file.status_code == 400
    shown = call("GET", path).json
    assert (shown["indexing_technique"], shown["doc_form"]) == (None, None)
    assert shown["retrieval_model_dict"]["top_k"] != 9
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*) FROM files") == [(0,)]


def test_an_archived_document_takes_no_file(call, base):
    from sparrow.storage import db

    path = f"/datasets/{base['dataset']}/documents"
    call("PATCH", f"{path}/status/archive", json={"document_ids": [base["document"]]})
    for answer in (call("POST", f"{path}/{base['document']}/update-by-text", json={"name": "a", "text": "b"}),
                   call("PATCH", f"{path}/{base['document']}", data={"file": (io.BytesIO(b"text"), "a.md")})):
        assert (answer.status_code, answer.json["code"]) == (403, "archived_document_immutable")
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*) FROM files") == [(1,)]


def test_a_document_that_is_archived_while_its_file_comes_keeps_none(call, base, monkeypatch):
    from sparrow.api.service import datasets_documents as service
    from sparrow.storage import db

    monkeypatch.setattr(service, "_check_again", lambda row, body: None)
    path = f"/datasets/{base['dataset']}/documents"
    call("PATCH", f"{path}/status/archive", json={"document_ids": [base["document"]]})
    for answer in (call("POST", f"{path}/{base['document']}/update-by-text", json={"name": "a", "text": "b"}),
                   call("PATCH", f"{path}/{base['document']}", data={"file": (io.BytesIO(b"text"), "a.md")})):
        assert answer.status_code == 403
    with db.read() as tx:
        assert db.rows(tx, "SELECT count(*) FROM files") == [(1,)]


def test_settings_that_are_given_in_part_are_shown_whole(call):
    made = call("POST", "/datasets", json={
        "name": "Parts", "summary_index_setting": {"enable": False},
        "retrieval_model": {"search_method": "full_text_search", "top_k": 2, "reranking_model": None,
                            "weights": {"weight_type": "customized"}}}).json
    shown = made["retrieval_model_dict"]
    assert (shown["search_method"], shown["top_k"], shown["reranking_enable"]) == ("full_text_search", 2, False)
    assert shown["reranking_model"] == {"reranking_provider_name": "", "reranking_model_name": ""}
    assert set(shown["weights"]) == {"weight_type", "vector_setting", "keyword_setting"}
    assert set(made["summary_index_setting"]) == {"enable", "model_name", "model_provider_name", "summary_prompt"}


@pytest.mark.parametrize("stored", [
    {"weights": "x"}, {"weights": ["x"]}, {"weights": {"vector_setting": "x"}}, {"reranking_model": "x"}], ids=str)
def test_settings_of_a_time_when_nothing_was_checked_are_shown(call, base, stored):
    """One such base hid all bases."""
    from sparrow.storage import db
    from sparrow.storage.tables import knowledge as t

    with db.write() as tx:
        tx.execute(t.datasets.update().values(retrieval_model=RETRIEVAL | stored))
    for path in ("/datasets", f"/datasets/{base['dataset']}"):
        assert call("GET", path).status_code == 200


def test_a_base_takes_no_rule_that_each_document_would_be_refused_for(admin):
    base = admin.post("/datasets", json={"name": "Manuals"}).json["id"]
    answer = admin.patch(f"/datasets/{base}", json={"process_rule": {"mode": "bad"}})
    assert (answer.status_code, answer.json["params"]) == (400, "process_rule")
    assert admin.patch(f"/datasets/{base}", json={"process_rule": None}).status_code == 200


def test_an_answer_belongs_to_questions_only(call, base):
    path = f"/datasets/{base['dataset']}/documents/{base['document']}/segments"
    added = call("POST", path, json={"segments": [{"content": "x", "answer": "y"}]}).json["data"][0]
    changed = call("POST", f"{path}/{added['id']}", json={"segment": {"content": "z", "answer": "y"}}).json["data"]
    assert (added["answer"], changed["answer"]) == (None, None)
