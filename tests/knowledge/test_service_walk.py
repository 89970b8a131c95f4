"""Every knowledge endpoint that Dify documents, in one walk: method, path, body, status, and the fields it names.

The fields are those of Dify's reference; answers may have more. A path's `{names}` are filled by what earlier steps
gave.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

DATASET = {
    "id", "name", "description", "provider", "permission", "data_source_type", "indexing_technique", "app_count",
    "document_count", "word_count", "created_by", "author_name", "created_at", "updated_by", "updated_at",
    "embedding_model", "embedding_model_provider", "embedding_available", "retrieval_model_dict",
    "summary_index_setting", "tags", "doc_form", "external_knowledge_info", "external_retrieval_model", "doc_metadata",
    "built_in_field_enabled", "pipeline_id", "runtime_mode", "chunk_structure", "icon_info", "is_published",
    "total_documents", "total_available_documents", "enable_api", "is_multimodal", "maintainer", "partial_member_list"}
DOCUMENT = {
    "id", "position", "data_source_type", "data_source_info", "dataset_process_rule_id", "name", "created_from",
    "created_by", "created_at", "tokens", "indexing_status", "error", "enabled", "disabled_at", "disabled_by",
    "archived", "display_status", "word_count", "hit_count", "doc_form", "doc_metadata"}
DETAIL = (DOCUMENT | {
    "dataset_process_rule", "document_process_rule", "completed_at", "updated_at", "indexing_latency", "segment_count",
    "average_segment_length", "doc_language", "doc_type"})
SEGMENT = {
    "id", "position", "document_id", "content", "sign_content", "answer", "word_count", "tokens", "keywords",
    "index_node_id", "index_node_hash", "hit_count", "enabled", "disabled_at", "disabled_by", "status", "created_by",
    "created_at", "updated_at", "updated_by", "indexing_at", "completed_at", "error", "stopped_at", "child_chunks",
    "attachments", "summary"}
CHILD = {"id", "segment_id", "content", "position", "word_count", "type", "created_at", "updated_at"}
FIELD, TAG, PAGE = {"id", "name", "type"}, {"id", "name", "type", "binding_count"}, {
    "data", "has_more", "limit", "total", "page"}
RULE = {"mode": "hierarchical", "rules": {
    "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True}], "parent_mode": "paragraph",
    "segmentation": {"separator": "\n\n", "max_tokens": 500},
    "subchunk_segmentation": {"separator": "\n", "max_tokens": 100}}}
RETRIEVAL = {"search_method": "hybrid_search", "reranking_enable": False, "top_k": 2, "score_threshold_enabled": False}
TEXT = "# Valve\n\nThe valve opens at 3 bar.\nIt closes at 2 bar."

D = "/datasets/{dataset}"
DOC = D + "/documents/{document}"
SEG = DOC + "/segments/{segment}"

# name, method, path, body ("file" sends a file beside it), status, fields, {name for later steps: path of keys}
STEPS: list[tuple[str, str, str, Any, int, set[str], dict[str, str]]] = [
    ("create", "POST", "/datasets", {"name": "Walk", "indexing_technique": "high_quality"}, 200, DATASET,
     {"dataset": "id"}),
    ("create twice", "POST", "/datasets", {"name": "Walk"}, 409, {"code", "message", "status"}, {}),
    ("list", "GET", "/datasets?page=1&limit=20&keyword=wal", None, 200, PAGE, {}),
    ("get", "GET", D, None, 200, DATASET, {}),
    ("change", "PATCH", D, {"description": "walked", "retrieval_model": RETRIEVAL}, 200, DATASET, {}),
    ("by text", "POST", D + "/document/create-by-text", {
        "name": "valve.md", "text": TEXT, "doc_form": "hierarchical_model", "process_rule": RULE}, 200,
     {"document", "batch"}, {"document": "document.id", "batch": "batch"}),
    ("by file", "POST", D + "/document/create-by-file", {"file": {"process_rule": RULE}}, 200, {"document", "batch"},
     {"second": "document.id"}),
    ("progress", "GET", D + "/documents/{batch}/indexing-status", None, 200, {"data"}, {}),
    ("index", "", "", None, 0, set(), {}),
    ("documents", "GET", D + "/documents?status=available", None, 200, PAGE, {}),
    ("document", "GET", DOC, None, 200, DETAIL, {}),
    ("document without metadata", "GET", DOC + "?metadata=without", None, 200, DETAIL - {"doc_metadata", "doc_type"},
     {}),
    ("only metadata", "GET", DOC + "?metadata=only", None, 200, {"id", "doc_type", "doc_metadata"}, {}),
    ("download", "GET", DOC + "/download", None, 200, {"url"}, {}),
    ("zip", "POST", D + "/documents/download-zip", {"document_ids": ["{document}"]}, 200, set(), {}),
    ("retrieve", "POST", D + "/retrieve", {"query": "when does the valve open", "retrieval_model": RETRIEVAL}, 200,
     {"query", "records"}, {}),
    ("hit-testing", "POST", D + "/hit-testing", {"query": "valve"}, 200, {"query", "records"}, {}),
    ("too long a question", "POST", D + "/retrieve", {"query": "x" * 251}, 400, {"code", "message", "status"}, {}),
    ("add chunk", "POST", DOC + "/segments", {"segments": [{"content": "Added by hand", "keywords": ["hand"]}]}, 200,
     {"data", "doc_form"}, {"segment": "data.0.id"}),
    ("chunks", "GET", DOC + "/segments?keyword=hand", None, 200, PAGE | {"doc_form"}, {}),
    ("chunk", "GET", SEG, None, 200, {"data", "doc_form"}, {}),
    ("change chunk", "POST", SEG, {"segment": {"content": "Changed by hand", "regenerate_child_chunks": True}}, 200,
     {"data", "doc_form"}, {}),
    ("add child", "POST", SEG + "/child_chunks", {"content": "a child"}, 200, {"data"}, {"child": "data.id"}),
    ("children", "GET", SEG + "/child_chunks", None, 200, {"data", "total", "total_pages", "page", "limit"}, {}),
    ("change child", "PATCH", SEG + "/child_chunks/{child}", {"content": "another child"}, 200, {"data"}, {}),
    ("delete child", "DELETE", SEG + "/child_chunks/{child}", None, 204, set(), {}),
    ("delete chunk", "DELETE", SEG, None, 204, set(), {}),
    ("add field", "POST", D + "/metadata", {"type": "string", "name": "team"}, 201, FIELD, {"field": "id"}),
    ("fields", "GET", D + "/metadata", None, 200, {"doc_metadata", "built_in_field_enabled"}, {}),
    ("rename field", "PATCH", D + "/metadata/{field}", {"name": "crew"}, 200, FIELD, {}),
    ("built-in fields", "GET", D + "/metadata/built-in", None, 200, {"fields"}, {}),
    ("built-in on", "POST", D + "/metadata/built-in/enable", None, 200, {"result"}, {}),
    ("values", "POST", D + "/documents/metadata", {"operation_data": [{
        "document_id": "{document}", "metadata_list": [{"id": "{field}", "name": "crew", "value": "blue"}]}]}, 200,
     {"result"}, {}),
    ("delete field", "DELETE", D + "/metadata/{field}", None, 204, set(), {}),
    ("add tag", "POST", "/datasets/tags", {"name": "pumps"}, 200, TAG, {"tag": "id"}),
    ("tags", "GET", "/datasets/tags", None, 200, TAG, {}),
    ("rename tag", "PATCH", "/datasets/tags", {"tag_id": "{tag}", "name": "valves"}, 200, TAG, {}),
    ("bind", "POST", "/datasets/tags/binding", {"tag_ids": ["{tag}"], "target_id": "{dataset}"}, 204, set(), {}),
    ("tags of a base", "GET", D + "/tags", None, 200, {"data", "total"}, {}),
    ("unbind", "POST", "/datasets/tags/unbinding", {"tag_id": "{tag}", "target_id": "{dataset}"}, 204, set(), {}),
    ("delete tag", "DELETE", "/datasets/tags", {"tag_id": "{tag}"}, 204, set(), {}),
    ("switch off", "PATCH", D + "/documents/status/disable", {"document_ids": ["{document}"]}, 200, {"result"}, {}),
    ("no such switch", "PATCH", D + "/documents/status/burn", {"document_ids": ["{document}"]}, 400,
     {"code", "message", "status"}, {}),
    ("new text", "POST", DOC + "/update-by-text", {"name": "valve.md", "text": "The valve opens at 4 bar."}, 200,
     {"document", "batch"}, {}),
    ("new file", "POST", D + "/documents/{second}/update-by-file", {"file": {}}, 200, {"document", "batch"}, {}),
    ("new file by PATCH", "PATCH", D + "/documents/{second}", {"file": {"name": "other.txt"}}, 200,
     {"document", "batch"}, {}),
    ("delete document", "DELETE", DOC, None, 204, set(), {}),
    ("gone", "GET", DOC, None, 404, {"code", "message", "status"}, {}),
    ("delete", "DELETE", D, None, 204, set(), {}),
]
INNER = {"by text": ("document", DOCUMENT), "by file": ("document", DOCUMENT), "documents": ("data.0", DOCUMENT),
         "list": ("data.0", DATASET), "add chunk": ("data.0", SEGMENT), "chunks": ("data.0", SEGMENT),
         "chunk": ("data", SEGMENT), "change chunk": ("data", SEGMENT), "add child": ("data", CHILD),
         "children": ("data.0", CHILD), "retrieve": ("records.0.segment", SEGMENT - {
             "child_chunks", "attachments", "summary", "updated_at", "updated_by"} | {"document"}),
         "progress": ("data.0", {"id", "indexing_status", "processing_started_at", "parsing_completed_at",
                                 "cleaning_completed_at", "splitting_completed_at", "completed_at", "paused_at",
                                 "error", "stopped_at", "completed_segments", "total_segments"})}


def test_every_documented_endpoint(call):
    from sparrow.knowledge import indexing

    known: dict[str, str] = {}
    for name, method, path, body, status, fields, learned in STEPS:
        if name == "index":
            for document in (known["document"], known["second"]):
                indexing.run(document)
            continue
        reply = call(method, path.format(**known), **_sent(body, known))
        assert reply.status_code == status, (name, reply.text)
        if status == 204:
            assert reply.data == b"", name
            continue
        if name == "zip":
            assert reply.data[:2] == b"PK"
            continue
        found = reply.json[0] if isinstance(reply.json, list) else reply.json
        assert fields <= set(found), (name, fields - set(found))
        if name in INNER:
            inner, wanted = INNER[name]
            assert wanted <= set(_at(reply.json, inner)), (name, wanted - set(_at(reply.json, inner)))
        known.update({key: _at(reply.json, place) for key, place in learned.items()})


@pytest.mark.parametrize("mark", ["_", "-"])
def test_both_spellings_of_a_path(call, mark):
    base = call("POST", "/datasets", json={"name": "Spelled", "indexing_technique": "economy"}).json["id"]
    made = call("POST", f"/datasets/{base}/document/create{mark}by{mark}text", json={"name": "a", "text": "b"})
    assert made.status_code == 200, made.text
    document = made.json["document"]["id"]
    assert call("POST", f"/datasets/{base}/documents/{document}/update{mark}by{mark}text", json={
        "text": "c"}).status_code == 200


def _sent(body: Any, known: dict[str, str]) -> dict[str, Any]:
    if body is None:
        return {}
    if "file" in body:
        return {"data": {"data": json.dumps(body["file"]), "file": (io.BytesIO(b"The seal is S-077."), "seal.txt")}}
    text = json.dumps(body)
    for key, value in known.items():
        text = text.replace("{" + key + "}", value)
    return {"json": json.loads(text)}


def _at(value: Any, place: str) -> Any:
    for key in place.split("."):
        value = value[int(key)] if key.isdigit() else value[key]
    return value
