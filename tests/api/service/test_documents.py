"""Documents of a knowledge base as clients of several Dify releases ask for them."""

from __future__ import annotations

import pytest
import requests

from .test_chat_features import Client


@pytest.fixture
def knowledge(live):
    """A client with a knowledge key."""
    return Client(live, live.admin.post("/dataset-keys", json={"name": "k"}).json["token"])


@pytest.fixture
def base(knowledge) -> str:
    """The path of an empty base."""
    return "/datasets/" + knowledge.call("POST", "/datasets", json={"name": "b"}).json()["id"]


def put(knowledge, base: str, text: str = "The valve opens at 3 bar.", **fields) -> dict:
    """Add a document; return it."""
    reply = knowledge.call("POST", f"{base}/document/create-by-text", json={
        "name": "valve.md", "text": text, "indexing_technique": "high_quality", **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()["document"]


def test_an_original_is_opened_without_the_key(knowledge, base):
    document = f"{base}/documents/{put(knowledge, base)['id']}"
    url = knowledge.call("GET", f"{document}/download").json()["url"]
    opened = requests.get(url, timeout=10)
    assert (opened.status_code, opened.text) == (200, "The valve opens at 3 bar.")
    assert opened.headers["Content-Disposition"].startswith("attachment")
    assert requests.get(url.replace("sign=", "sign=0"), timeout=10).status_code == 403


def test_the_original_as_older_clients_ask_for_it(knowledge, base):
    told = knowledge.call("GET", f"{base}/documents/{put(knowledge, base)['id']}/upload-file")
    assert told.status_code == 200, told.text
    file = told.json()
    assert set(file) == {"id", "name", "size", "extension", "url", "download_url", "mime_type", "created_by",
                         "created_at"}
    assert (file["name"], file["extension"], file["size"]) == ("valve.md", "md", 25)
    for url in (file["url"], file["download_url"]):
        assert requests.get(url, timeout=10).text == "The valve opens at 3 bar."
    missing = knowledge.call("GET", f"{base}/documents/{base[-36:]}/upload-file")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_a_document_without_metadata_has_null(knowledge, base):
    document = put(knowledge, base)
    assert document["doc_metadata"] is None  # Dify's way, and typed clients refuse an empty list
    assert knowledge.call("GET", f"{base}/documents").json()["data"][0]["doc_metadata"] is None


def test_settings_that_no_question_could_use_are_refused_when_given(knowledge, base):
    wrong = {"search_method": "guess", "reranking_enable": False, "top_k": 2, "score_threshold_enabled": False}
    for method, path, body in (("POST", "/datasets", {"name": "c", "retrieval_model": wrong}),
                               ("PATCH", base, {"retrieval_model": wrong})):
        refused = knowledge.call(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_param"), refused.text
    assert knowledge.call("POST", f"{base}/retrieve", json={"query": "valve"}).status_code == 200
    assert knowledge.call("POST", f"{base}/retrieve", json={"query": " "}).status_code == 400


def test_built_in_fields_where_older_clients_look(knowledge, base):
    older, newer = (knowledge.call("GET", f"{path}/metadata/built-in").json() for path in ("/datasets", base))
    assert older == newer
    assert older["fields"]
