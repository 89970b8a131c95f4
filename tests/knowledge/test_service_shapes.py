"""Shapes of requests that clients in the field send and Dify takes, beside those of its documents."""

from __future__ import annotations

import io
import json

import pytest

from tests.knowledge.test_service import document_of

RETRIEVAL = {"search_method": "semantic_search", "reranking_enable": "false", "top_k": "3",
             "score_threshold_enabled": "true", "score_threshold": "0.5",
             "weights": {"vector_setting": {"vector_weight": "0.7"}}}
RULE = {"mode": "custom", "rules": {
    "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": "true"}],
    "segmentation": {"separator": "\n", "max_tokens": "500", "chunk_overlap": 50.0}}}


@pytest.mark.parametrize("query", ["page=&limit=&keyword=", "status=&metadata=", "include_all=&tag_ids=", "tag_ids[]="])
def test_an_empty_parameter_counts_as_not_given(call, query):
    path, document = document_of(call)
    for place in ("/datasets", f"{path}/documents", document, f"{document}/segments"):
        answer = call("GET", f"{place}?{query}")
        assert answer.status_code == 200, answer.json
        assert answer.json.get("total", 1) == 1, place


@pytest.mark.parametrize(("status", "found"), [
    ("available", 1), ("active", 1), ("Enabled", 1), ("archived", 0), ("completed", 1), ("none of Dify's", 1)])
def test_documents_of_a_status(call, status, found):
    path, _ = document_of(call)
    assert call("GET", f"{path}/documents", query_string={"status": status}).json["total"] == found


def test_ids_in_capitals(call):
    path, document = document_of(call)
    base, one = path.rpartition("/")[2].upper(), document.rpartition("/")[2].upper()
    place = f"/datasets/{base}/documents/{one}"
    segment = call("GET", f"{place}/segments").json["data"][0]["id"]
    tag = call("POST", "/datasets/tags", json={"name": "pumps"}).json["id"]
    field = call("POST", f"/datasets/{base}/metadata", json={"name": "author", "type": "string"}).json["id"]
    for method, where, body in (
            ("GET", f"/datasets/{base}", None), ("GET", place, None),
            ("GET", f"{place}/segments/{segment.upper()}", None),
            ("POST", f"/datasets/{base}/retrieve", {"query": "text"}),
            ("PATCH", f"/datasets/{base}/documents/status/disable", {"document_ids": [one]}),
            ("POST", f"/datasets/{base}/documents/metadata", {"operation_data": [{"document_id": one, "metadata_list": [
                {"id": field.upper(), "name": "author", "value": tag.upper()}]}]}),
            ("POST", "/datasets/tags/binding", {"tag_ids": [tag.upper()], "target_id": base})):
        answer = call(method, where, json=body)
        assert answer.status_code in (200, 204), (where, answer.json)
    seen = call("GET", document).json
    assert seen["display_status"] == "disabled"
    assert [entry["value"] for entry in seen["doc_metadata"]] == [tag.upper()]  # what is no id stays
    assert call("GET", "/datasets", query_string={"tag_ids": tag.upper()}).json["total"] == 1
    data = json.dumps({"original_document_id": one})
    again = call("POST", f"{path}/document/create-by-file", data={"data": data, "file": (io.BytesIO(b"b"), "b.txt")})
    assert again.json["document"]["id"] == one.lower()


def test_numbers_and_truths_as_text(call):
    made = call("POST", "/datasets", json={"name": "a", "retrieval_model": RETRIEVAL})
    assert made.status_code == 200, made.json
    shown = made.json["retrieval_model_dict"]
    assert (shown["top_k"], shown["score_threshold"], shown["reranking_enable"]) == (3, 0.5, False)
    assert shown["weights"]["vector_setting"]["vector_weight"] == 0.7
    path = f"/datasets/{made.json['id']}"
    changed = call("PATCH", path, json={"retrieval_model": RETRIEVAL | {"top_k": "5"}})
    assert changed.json["retrieval_model_dict"]["top_k"] == 5
    text = {"name": "a", "text": "b", "indexing_technique": "high_quality", "process_rule": RULE}
    for answer in (
            call("POST", f"{path}/document/create-by-text", json=text),
            call("POST", f"{path}/document/create-by-file", data={
                "data": json.dumps({"process_rule": RULE, "duplicate": "true"}), "file": (io.BytesIO(b"b"), "b.txt")})):
        assert answer.status_code == 200, answer.json
        rule = call("GET", f"{path}/documents/{answer.json['document']['id']}").json["document_process_rule"]["rules"]
        assert rule["segmentation"] == {"separator": "\n", "max_tokens": 500, "chunk_overlap": 50}
        assert rule["pre_processing_rules"] == [{"id": "remove_extra_spaces", "enabled": True}]
    found = call("POST", f"{path}/retrieve", json={"query": "b", "retrieval_model": RETRIEVAL})
    assert found.status_code == 200, found.json
    for wrong in ("much", "5.5", True):
        rule = {"mode": "custom", "rules": {"segmentation": {"max_tokens": wrong}}}
        refused = call("POST", f"{path}/document/create-by-text", json=text | {"process_rule": rule})
        assert (refused.status_code, refused.json["params"]) == (400, "process_rule")


def test_pieces_longer_than_there_are(call):
    path, _ = document_of(call)
    rule = {"mode": "custom", "rules": {"pre_processing_rules": [], "segmentation": {
        "separator": "\n\n------------\n\n", "max_tokens": 4096}}}
    made = call("POST", f"{path}/document/create_by_text", json={
        "name": "a", "text": "b", "indexing_technique": "high_quality", "process_rule": rule})
    assert made.status_code == 200, made.json
    shown = call("GET", f"{path}/documents/{made.json['document']['id']}").json["document_process_rule"]
    assert shown["rules"]["segmentation"]["max_tokens"] == 4000


def test_retrieval_settings_as_the_documents_long_had_them(call):
    path, _ = document_of(call)
    model = {"search_method": "hybrid_search", "reranking_enable": False, "weights": 0.6, "top_k": 2,
             "reranking_mode": {"reranking_provider_name": "cohere", "reranking_model_name": "rerank-3"}}
    found = call("POST", f"{path}/retrieve", json={"query": "text", "retrieval_model": model})
    assert found.status_code == 200, found.json
    assert len(found.json["records"]) == 1
    shown = call("PATCH", path, json={"retrieval_model": model}).json["retrieval_model_dict"]
    assert shown["reranking_mode"] == "reranking_model"
    assert shown["reranking_model"]["reranking_model_name"] == "rerank-3"
    assert shown["weights"]["vector_setting"]["vector_weight"] == 0.6
    for wrong in ({"weights": 7}, {"weights": True}, {"reranking_mode": {"reranking_model_name": 5}}):
        refused = call("POST", f"{path}/retrieve", json={"query": "x", "retrieval_model": model | wrong})
        assert (refused.status_code, refused.json["code"]) == (400, "invalid_param"), wrong
