"""The wire contract, endpoint by endpoint: keys, statuses, envelopes, aliases, bodies of DELETE."""

from __future__ import annotations

import uuid

import pytest
import requests

from .conftest import MODEL, flow_app
from .test_chat_features import Client

ID = "6f0c9f0e-4b0e-4a63-8d8d-0b1f5f7f8a11"
USAGE = {"prompt_tokens", "prompt_unit_price", "prompt_price_unit", "prompt_price", "completion_tokens",
         "completion_unit_price", "completion_price_unit", "completion_price", "total_tokens", "total_price",
         "currency", "latency", "time_to_first_token", "time_to_generate"}
# Every method of Dify's documented endpoints that an app key opens.
APP = [line.split() for line in f"""
GET /info
GET /parameters
GET /meta
GET /site
POST /chat-messages
POST /chat-messages/{ID}/stop
GET /messages/{ID}/suggested
POST /completion-messages
POST /completion-messages/{ID}/stop
GET /workflows/run/{ID}
GET /workflows/logs
GET /workflow/{ID}/events
POST /workflows/run
POST /workflows/{ID}/run
POST /workflows/tasks/{ID}/stop
GET /form/human_input/x
POST /form/human_input/x
GET /conversations
GET /messages
GET /conversations/{ID}/variables
POST /conversations/{ID}/name
PUT /conversations/{ID}/variables/{ID}
DELETE /conversations/{ID}
POST /messages/{ID}/feedbacks
GET /app/feedbacks
POST /files/upload
GET /files/{ID}/preview
POST /audio-to-text
POST /text-to-audio
POST /apps/annotations
GET /apps/annotations
PUT /apps/annotations/{ID}
DELETE /apps/annotations/{ID}
POST /apps/annotation-reply/enable
GET /apps/annotation-reply/enable/status/{ID}
GET /end-users/{ID}
GET /models
POST /chat/completions
""".strip().splitlines()]
KNOWLEDGE = [line.split() for line in f"""
GET /datasets
POST /datasets
GET /datasets/{ID}
GET /datasets/tags
GET /workspaces/current/models/model-types/llm
""".strip().splitlines()]


@pytest.fixture
def chat(live):
    """A client of a chat app."""
    return Client(live, live.new_app(model=MODEL)[1])


@pytest.fixture
def flow(live):
    """A client of a workflow."""
    return Client(live, flow_app(live, "workflow"))


def envelope(reply: requests.Response, status: int, code: str) -> dict:
    """Check that a reply is Dify's error envelope; return it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    body = reply.json()
    assert (body["code"], body["status"]) == (code, status), body
    assert body["message"]
    assert set(body) <= {"code", "message", "status", "params"}
    return body


def test_every_endpoint_wants_its_kind_of_key(live, chat):
    knowledge = live.admin.post("/dataset-keys", json={"name": "k"}).json["token"]
    other = Client(live, knowledge)
    for wrong, endpoints in ((other, APP), (chat, KNOWLEDGE)):
        for method, path in endpoints:
            envelope(requests.request(method, wrong.base + path, timeout=10), 401, "unauthorized")
            reply = wrong.call(method, path)
            envelope(reply, 401, "unauthorized")
            assert reply.headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "token"])
def test_malformed_authorization(live, header):
    envelope(requests.get(f"{live.url}/v1/info", headers={"Authorization": header}, timeout=10), 401, "unauthorized")


def test_the_scheme_is_read_in_any_case(live, chat):
    token = chat.headers["Authorization"].split()[1]
    assert requests.get(f"{live.url}/v1/info", headers={"Authorization": f"bEaReR {token}"}, timeout=10).ok


def test_nothing_answers_500_or_plain_text_to_empty_requests(chat, flow):
    for client in (chat, flow):
        for method, path in APP:
            reply = client.call(method, path, **({"json": {}} if method != "GET" else {}))
            assert reply.status_code < 500, (method, path, reply.text)
            if reply.status_code >= 400:
                envelope(reply, reply.status_code, reply.json()["code"])


def test_what_is_not_there(live, chat):
    for path in ("/nothing", "/apps/x/site/config", "/apps/x/api-tokens", f"/files/{ID}/info",
                 "/workspaces/current/model-providers", f"/datasets/{ID}/pipeline/nothing"):
        envelope(chat.call("GET", path), 404, "not_found")
    envelope(chat.call("GET", "/chat-messages"), 405, "method_not_allowed")


def test_the_root_and_other_sites(live):
    root = requests.get(f"{live.url}/v1/", timeout=10).json()
    assert (set(root), root["api_version"]) == ({"welcome", "api_version", "server_version"}, "v1")
    asked = requests.options(f"{live.url}/v1/chat-messages", timeout=10, headers={
        "Origin": "https://else.where", "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    refused = requests.get(f"{live.url}/v1/info", timeout=10)
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_a_page_may_send_whatever_headers_its_client_adds(live):
    wanted = "authorization,content-type,x-stainless-lang,x-requested-with"
    asked = requests.options(f"{live.url}/v1/chat/completions", timeout=10, headers={
        "Origin": "https://else.where", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Headers"]) == (200, wanted)


@pytest.mark.parametrize(("mark", "kind"), [
    (b"\xef\xbb\xbf", "application/json"), (b"", "application/vnd.api+json"), (b"", "application/json; charset=utf-8")])
def test_json_as_other_platforms_send_it(chat, mark, kind):
    reply = requests.post(chat.base + "/chat-messages", timeout=30, headers={**chat.headers, "Content-Type": kind},
                          data=mark + b'{"query": "x", "inputs": {}, "user": "u1", "auto_generate_name": "false"}')
    assert reply.status_code == 200, reply.text


def test_ids_in_capitals_and_empty_parameters(chat):
    first = chat.ask("q")
    talk, message = first["conversation_id"].upper(), first["message_id"].upper()
    again = chat.ask("q", conversation_id=talk)
    assert again["conversation_id"] == first["conversation_id"]
    read = chat.call("GET", f"/messages?user=u1&conversation_id={talk}&first_id=&limit=").json()["data"]
    assert [item["id"] for item in read] == [first["message_id"], again["message_id"]]
    assert chat.call("GET", "/conversations?user=u1&last_id=&limit=&sort_by=&pinned=").status_code == 200
    liked = chat.call("POST", f"/messages/{message}/feedbacks", json={"rating": "like", "user": "u1"})
    assert liked.status_code == 200
    named = chat.call("POST", f"/conversations/{talk}/name", json={"name": "n", "user": "u1"}).json()
    assert named["id"] == first["conversation_id"]


def test_a_switch_of_annotation_replies_is_known_by_its_job(chat):
    body = {"score_threshold": 0.9, "embedding_provider_name": "", "embedding_model_name": ""}
    job = chat.call("POST", "/apps/annotation-reply/disable", json=body).json()["job_id"]
    assert chat.call("GET", f"/apps/annotation-reply/disable/status/{job}").json() == {
        "job_id": job, "job_status": "completed", "error_msg": ""}
    for unknown in (f"enable/status/{job}", f"disable/status/{ID}", "disable/status/x"):
        envelope(chat.call("GET", f"/apps/annotation-reply/{unknown}"), 400, "invalid_param")


def test_too_short_a_text_is_called_so(chat):
    refused = envelope(chat.call("POST", "/apps/annotations", json={"question": "", "answer": "a"}), 400,
                       "invalid_param")
    assert "question\n  String should have at least 1 character [type=string_too_short" in refused["message"]
    talk = chat.ask("x")["conversation_id"]
    refused = envelope(chat.call("GET", f"/conversations/{talk}/variables?user=u1&variable_name={'n' * 256}"), 400,
                       "invalid_param")
    assert "String should have at most 255 characters" in refused["message"]


def test_keys_of_chat_replies_and_lists(chat):
    body = chat.ask("x")
    assert set(body) == {"event", "task_id", "id", "message_id", "conversation_id", "mode", "answer", "metadata",
                         "created_at"}
    assert body["id"] == body["message_id"]
    assert set(body["metadata"]) == {"usage", "retriever_resources", "annotation_reply"}
    assert set(body["metadata"]["usage"]) == USAGE
    message = chat.call("GET", f"/messages?user=u1&conversation_id={body['conversation_id']}").json()["data"][0]
    assert set(message) == {
        "id", "conversation_id", "parent_message_id", "inputs", "query", "answer", "status", "error", "message_files",
        "feedback", "retriever_resources", "agent_thoughts", "created_at", "extra_contents", "message_tokens",
        "answer_tokens", "total_tokens", "provider_response_latency", "total_price", "currency"}
    assert message["total_tokens"] == message["message_tokens"] + message["answer_tokens"] > 0
    found = chat.call("GET", "/conversations?user=u1").json()
    assert set(found) == {"limit", "has_more", "data"}
    assert set(found["data"][0]) == {"id", "name", "inputs", "status", "introduction", "created_at", "updated_at"}
    for event in chat.stream("y"):
        assert {"event", "task_id", "message_id", "conversation_id", "created_at"} <= set(event)


def test_pages_of_conversations(chat):
    ids = [chat.ask(str(number))["conversation_id"] for number in range(3)][::-1]
    first = chat.call("GET", "/conversations?user=u1&limit=2").json()
    assert ([item["id"] for item in first["data"]], first["has_more"]) == (ids[:2], True)
    rest = chat.call("GET", f"/conversations?user=u1&limit=2&last_id={ids[1]}").json()
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (ids[2:], False)
    oldest = chat.call("GET", "/conversations?user=u1&sort_by=created_at").json()
    assert [item["id"] for item in oldest["data"]] == ids[::-1]
    envelope(chat.call("GET", f"/conversations?user=u1&last_id={ID}"), 404, "not_found")
    for query in ("limit=0", "limit=101", "limit=x", "last_id=x", "sort_by=name"):
        envelope(chat.call("GET", f"/conversations?user=u1&{query}"), 400, "invalid_param")


def test_deleting_a_conversation_reads_its_body(chat):
    talk = chat.ask("x")["conversation_id"]
    envelope(chat.call("DELETE", f"/conversations/{talk}", json={"user": "u2"}), 404, "not_found")
    gone = chat.call("DELETE", f"/conversations/{talk}", json={"user": "u1"})
    assert (gone.status_code, gone.content) == (204, b"")
    envelope(chat.call("POST", f"/conversations/{talk}/name", json={"name": "x", "user": "u1"}), 404, "not_found")


def test_wrong_modes(chat, flow):
    envelope(flow.call("POST", "/chat-messages", json={"query": "x", "inputs": {}, "user": "u"}), 400, "not_chat_app")
    envelope(flow.call("GET", "/conversations?user=u"), 400, "not_chat_app")
    envelope(chat.call("POST", "/workflows/run", json={"inputs": {}, "user": "u"}), 400, "not_workflow_app")
    envelope(chat.call("GET", f"/workflows/run/{ID}"), 400, "not_workflow_app")
    envelope(chat.call("POST", "/completion-messages", json={"inputs": {}, "user": "u"}), 400, "app_unavailable")


@pytest.mark.parametrize(("fields", "code", "part"), [
    ({"user": ""}, "invalid_param", "Arg user must be provided."), ({"user": None}, "invalid_param", "Arg user"),
    ({"inputs": None}, "invalid_param", "inputs"), ({"inputs": []}, "invalid_param", "inputs"),
    ({"query": 5}, "invalid_param", "query"), ({"query": ""}, "invalid_param", "query is required"),
    ({"response_mode": "later"}, "invalid_param", "response_mode"),
    ({"conversation_id": "x"}, "invalid_param", "must be a valid UUID"), ({"files": {}}, "invalid_param", "files"),
    ({"workflow_id": "x"}, "bad_request", "Invalid workflow_id format"),
])
def test_bad_messages_name_their_field_in_both_modes(chat, fields, code, part):
    for mode in ("blocking", "streaming"):
        reply = chat.call("POST", "/chat-messages", json={
            "query": "x", "inputs": {}, "user": "u1", "response_mode": mode, **fields})
        assert part in envelope(reply, 400, code)["message"]
    assert chat.call("GET", "/conversations?user=u1").json()["data"] == []


def test_unknown_conversations_versions_and_bodies(chat):
    message = {"query": "x", "inputs": {}, "user": "u1"}
    for fields in ({"conversation_id": ID}, {"workflow_id": str(uuid.uuid4())}):
        envelope(chat.call("POST", "/chat-messages", json={**message, **fields}), 404, "not_found")
    broken = requests.post(chat.base + "/chat-messages", data=b"{", timeout=10,
                           headers={**chat.headers, "Content-Type": "application/json"})
    envelope(broken, 400, "bad_request")
    reply = requests.post(chat.base + "/chat-messages", data="x=1", timeout=10, headers=chat.headers)
    envelope(reply, 415, "unsupported_media_type")


def test_a_workflows_run_detail_log_and_events(flow):
    body = flow.call("POST", "/workflows/run", json={"inputs": {"word": "w"}, "user": "u1"}).json()
    assert set(body) == {"task_id", "workflow_run_id", "data"}
    assert set(body["data"]) == {"id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens",
                                 "total_steps", "created_at", "finished_at"}
    run_id = body["workflow_run_id"]
    detail = flow.call("GET", f"/workflows/run/{run_id}").json()
    assert set(detail) == {"id", "workflow_id", "status", "inputs", "outputs", "error", "total_steps", "total_tokens",
                           "created_at", "finished_at", "elapsed_time"}
    assert isinstance(detail["inputs"], str)
    log = flow.call("GET", "/workflows/logs?status=succeeded&keyword=echo&created_by_end_user_session_id=u1").json()
    assert (set(log), log["total"]) == ({"page", "limit", "total", "has_more", "data"}, 1)
    assert log["data"][0]["workflow_run"]["id"] == run_id
    assert log["data"][0]["created_by_end_user"]["session_id"] == "u1"
    for none in ("status=failed", "created_by_account=somebody@else.where"):
        assert flow.call("GET", f"/workflows/logs?{none}").json()["total"] == 0
    envelope(flow.call("GET", "/workflows/logs?created_at__after=yesterday"), 400, "invalid_param")
    again = flow.call("GET", f"/workflow/{run_id}/events?user=u1")
    assert again.headers["content-type"].startswith("text/event-stream")
    assert '"workflow_finished"' in again.text
    envelope(flow.call("GET", f"/workflow/{run_id}/events?user=u2"), 404, "not_found")
    version = flow.call("POST", f"/workflows/{detail['workflow_id']}/run", json={"inputs": {"word": "v"}, "user": "u"})
    assert version.json()["data"]["outputs"] == {"result": "echo: v"}
    for wrong, status, code in (("x", 400, "bad_request"), (ID, 404, "not_found")):
        reply = flow.call("POST", f"/workflows/{wrong}/run", json={"inputs": {"word": "v"}, "user": "u"})
        envelope(reply, status, code)
    failed = flow.call("POST", "/workflows/run", json={"inputs": {"word": "<<error:auth>>"}, "user": "u1"})
    assert (failed.status_code, failed.json()["data"]["status"]) == (200, "failed")
    assert failed.json()["data"]["error"]


def test_stopping_what_is_unknown_is_no_error(chat, flow):
    for client, path in ((chat, "/chat-messages/x/stop"), (flow, "/workflows/tasks/x/stop")):
        assert client.call("POST", path, json={"user": "u"}).json() == {"result": "success"}
        envelope(client.call("POST", path, json={}), 400, "invalid_param")


def test_uploads(chat):
    up = chat.call("POST", "/files/upload", files={"file": ("a b.TXT", b"x", "text/plain")})
    assert up.status_code == 201  # `user` may be left out
    assert set(up.json()) == {"id", "name", "size", "extension", "mime_type", "created_by", "created_at", "preview_url",
                              "source_url", "original_url", "user_id", "tenant_id", "conversation_id", "file_key"}
    envelope(chat.call("POST", "/files/upload", data={"user": "u"}), 400, "no_file_uploaded")
    large = chat.call("POST", "/files/upload", files={"file": ("a.png", b"x" * (10 << 20) + b"y", "image/png")})
    envelope(large, 413, "file_too_large")


def test_models_by_type(live):
    knowledge = Client(live, live.admin.post("/dataset-keys", json={"name": "k"}).json["token"])
    found = knowledge.call("GET", "/workspaces/current/models/model-types/text-embedding").json()["data"]
    assert "use-multilingual-v3" in [model["model"] for entry in found for model in entry["models"]]
    assert {"provider", "label", "status", "models"} <= set(found[0])
    envelope(knowledge.call("GET", "/workspaces/current/models/model-types/x"), 400, "invalid_param")


def test_forms_are_their_apps(live, chat, flow):
    envelope(chat.call("GET", "/form/human_input/none"), 404, "not_found")
    envelope(chat.call("POST", "/form/human_input/none", json={"inputs": {}, "action": "x", "user": "u"}), 404,
             "not_found")
