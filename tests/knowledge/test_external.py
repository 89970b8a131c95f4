"""Both ends of Dify's external knowledge contract, against each other over HTTP and against a server that fails."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from werkzeug.serving import make_server

from tests.knowledge.test_console import ask, upload

TEXT = b"# Pump A-40\n\nThe working pressure is 2.2 bar.\n\n# Valve\n\nThe safety valve opens at 3 bar."


@pytest.fixture
def allowed(monkeypatch):
    """Let calls go to the loopback, as an admin would for a server on the box itself."""
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")


@pytest.fixture
def server(app):
    """This box, listening: the address another Dify would be given."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


@pytest.fixture
def here(admin):
    """A base with two documents of different years, and a knowledge key."""
    base = admin.post("/datasets", json={"name": "Here"}).json
    field = admin.post(f"/datasets/{base['id']}/metadata", json={"name": "year", "type": "number"}).json
    for name, text, year in (("pump.md", TEXT, 2024), ("old.md", TEXT.replace(b"2.2", b"1.1"), 1999)):
        document = upload(admin, base, name, text)
        admin.post(f"/datasets/{base['id']}/documents/metadata", json={"operation_data": [{
            "document_id": document["id"],
            "metadata_list": [{"id": field["id"], "name": "year", "value": year}]}]})
    return base, admin.post("/dataset-keys", json={"name": "other box"}).json["token"]


def call(app, token: str | None, body: dict):
    """Ask as another Dify does."""
    headers = {"Authorization": token} if token else {}
    return app.test_client().post("/v1/retrieval", json=body, headers=headers)


def test_server_answers_as_the_contract_says(app, here):
    base, token = here
    question = {"knowledge_id": base["id"], "query": "working pressure of the pump",
                "retrieval_setting": {"top_k": 2, "score_threshold": 0.0}}
    found = call(app, f"Bearer {token}", question)
    assert found.status_code == 200, found.text
    records = found.json["records"]
    assert len(records) == 2
    for record in records:
        assert set(record) == {"content", "score", "title", "metadata"}
        assert 0 <= record["score"] <= 1
        assert record["metadata"]["document_name"] == record["title"]
    assert "bar" in records[0]["content"]
    assert call(app, f"Bearer {token}", {**question, "retrieval_setting": {"top_k": 1, "score_threshold": 0}}
                ).json["records"] == records[:1]
    assert call(app, f"Bearer {token}", {**question, "retrieval_setting": {"top_k": 5, "score_threshold": 1.0}}
                ).json == {"records": []}
    for name in ("year", ["year"]):
        only = call(app, f"Bearer {token}", {**question, "metadata_condition": {
            "logical_operator": "and", "conditions": [{"name": name, "comparison_operator": "=", "value": 1999}]}})
        assert {record["title"] for record in only.json["records"]} == {"old.md"}
        assert only.json["records"][0]["metadata"]["year"] == 1999


def test_server_refuses_in_the_contract_s_form(app, admin, here):
    base, token = here
    question = {"knowledge_id": base["id"], "query": "pump", "retrieval_setting": {"top_k": 2, "score_threshold": 0}}
    for given, code in ((None, 1001), ("nonsense", 1001), ("Bearer dataset-wrong", 1002)):
        refused = call(app, given, question)
        assert (refused.status_code, refused.json["error_code"]) == (403, code)
    missing = call(app, f"Bearer {token}", {**question, "knowledge_id": "0" * 36})
    assert (missing.status_code, missing.json["error_code"]) == (404, 2001)
    assert call(app, f"Bearer {token}", {}).status_code == 400  # what Dify sends to see whether the key is good
    assert call(app, f"Bearer {token}", {**question, "query": "  "}).status_code == 400
    admin.patch(f"/datasets/{base['id']}", json={"enable_api": False})
    closed = call(app, f"Bearer {token}", question)
    assert (closed.status_code, closed.json["error_code"]) == (403, 1002)


def test_one_box_asks_another(admin, here, server, allowed):
    base, token = here
    wrong = admin.post("/datasets/external-knowledge-api", json={
        "name": "Other box", "endpoint": server, "api_key": "dataset-wrong"})
    assert (wrong.status_code, wrong.json["code"]) == (400, "external_knowledge_failed")
    api = admin.post("/datasets/external-knowledge-api", json={
        "name": "Other box", "endpoint": f"{server}/", "api_key": token})
    assert api.status_code == 201, api.text
    assert token not in api.text
    there = admin.post("/datasets/external", json={
        "name": "There", "external_knowledge_api_id": api.json["id"], "external_knowledge_id": base["id"],
        "external_retrieval_model": {"top_k": 3, "score_threshold": 0.0, "score_threshold_enabled": False}}).json
    assert there["external_knowledge_info"]["external_knowledge_api_endpoint"] == server
    records = ask(admin, there, "What is the working pressure?")
    assert len(records) == 2
    assert "2.2 bar" in " ".join(record["segment"]["content"] for record in records)
    assert admin.patch(f"/datasets/{there['id']}", json={"external_retrieval_model": {
        "top_k": 1, "score_threshold": 0.0, "score_threshold_enabled": False}}).status_code == 200
    assert len(ask(admin, there, "What is the working pressure?")) == 1
    listed = admin.get("/datasets/external-knowledge-api").json["data"]
    assert [entry["bases"] for entry in listed] == [[{"id": there["id"], "name": "There"}]]
    used = admin.delete(f"/datasets/external-knowledge-api/{api.json['id']}")
    assert (used.status_code, used.json["code"]) == (409, "external_api_in_use")
    renamed = admin.patch(f"/datasets/external-knowledge-api/{api.json['id']}", json={"name": "Second box"})
    assert renamed.json["name"] == "Second box"
    admin.delete(f"/datasets/{there['id']}")
    assert admin.delete(f"/datasets/external-knowledge-api/{api.json['id']}").status_code == 200


def test_no_external_server_leads_to_the_box_itself(admin, here, server):
    refused = admin.post("/datasets/external-knowledge-api", json={
        "name": "Loop", "endpoint": server, "api_key": here[1]})
    assert refused.status_code == 400
    assert "not allowed" in refused.json["message"]
    assert admin.get("/datasets/external-knowledge-api").json["data"] == []


class Broken(BaseHTTPRequestHandler):
    """Answers each question with the next reply of `replies`: (status, body)."""

    replies: list[tuple[int, bytes]]

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.replies.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Be silent."""


def test_a_server_that_fails_says_so(admin, allowed):
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{httpd.server_port}"
        Broken.replies = [(404, b"")]
        nobody = admin.post("/datasets/external-knowledge-api", json={
            "name": "Nobody", "endpoint": endpoint, "api_key": "k"})
        assert (nobody.status_code, nobody.json["params"]) == (400, "endpoint")
        Broken.replies = [(400, b"{}")]
        api = admin.post("/datasets/external-knowledge-api", json={
            "name": "Shaky", "endpoint": endpoint, "api_key": "k"}).json
        base = admin.post("/datasets/external", json={
            "name": "Elsewhere", "external_knowledge_api_id": api["id"], "external_knowledge_id": "abc"}).json
        path = f"/datasets/{base['id']}/hit-testing"
        for answer, wanted in (((500, json.dumps({"error_msg": "index is gone"}).encode()), "index is gone"),
                               ((200, b"<html>"), "not a list of records"), ((200, b'{"records": [1]}'), "not a list"),
                               ((200, b'{"records": [{"content": "ok", "score": 0.5, "title": "t"}]}'), None)):
            Broken.replies = [answer]
            reply = admin.post(path, json={"query": "anything"})
            if wanted:
                assert (reply.status_code, reply.json["code"]) == (400, "external_knowledge_failed")
                assert wanted in reply.json["message"]
            else:
                assert reply.json["records"][0]["segment"]["content"] == "ok"
        httpd.shutdown()
    gone = admin.post(path, json={"query": "anything"})
    assert "cannot be reached" in gone.json["message"]
    assert admin.post("/datasets/external-knowledge-api", json={
        "name": "x", "endpoint": "ftp://host", "api_key": "k"}).json["params"] == "endpoint"
