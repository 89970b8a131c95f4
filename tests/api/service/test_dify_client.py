"""The unmodified PyPI client against a live server."""

from __future__ import annotations

import json

import pytest
from dify_client import ChatClient, CompletionClient, DifyClient

from .conftest import MODEL


@pytest.fixture
def chat(live):
    """A client of a chat app with an opener, an input and suggested questions."""
    app_id, key = live.new_app("chat", model=MODEL, opening_statement="Hi {{who}}", pre_prompt="You are {{who}}.",
                               suggested_questions_after_answer={"enabled": True}, user_input_form=[
                                   {"text-input": {"variable": "who", "label": "who", "required": True}}])
    client = ChatClient(key)
    client.base_url = f"{live.url}/v1"
    client.app_id = app_id
    return client


def events(response) -> list[dict]:
    """Return the events of a stream."""
    return [json.loads(line[6:]) for line in response.iter_lines(decode_unicode=True) if line.startswith("data: ")]


def test_blocking_and_history(chat, live):
    first = chat.create_chat_message({"who": "Bob"}, "hello there", "u1", response_mode="blocking")
    assert first.status_code == 200, first.text
    body = first.json()
    assert body["answer"] == "echo: hello there"
    assert body["metadata"]["usage"]["total_tokens"] == 8
    second = chat.create_chat_message({"who": "Bob"}, "again", "u1", response_mode="blocking",
                                      conversation_id=body["conversation_id"]).json()
    assert [message["content"] for message in live.fake.requests[-1]["body"]["messages"]] == [
        "You are Bob.\n", "hello there", "echo: hello there", "again"]
    listed = chat.get_conversation_messages("u1", body["conversation_id"]).json()
    assert [item["id"] for item in listed["data"]] == [body["message_id"], second["message_id"]]
    assert listed["data"][0]["answer"] == "echo: hello there"
    page = chat.get_conversation_messages("u1", body["conversation_id"], first_id=second["message_id"], limit=1).json()
    assert [item["id"] for item in page["data"]] == [body["message_id"]]


def test_streaming_order_and_fields(chat):
    response = chat.create_chat_message({"who": "Bob"}, "hello there", "u1", response_mode="streaming")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    found = events(response)
    assert [event["event"] for event in found] == ["message"] * 4 + ["message_end"]
    assert [event.get("answer") for event in found[:-1]] == ["echo: ", "hello ", "there", ""]
    assert len({(event["task_id"], event["message_id"], event["conversation_id"]) for event in found}) == 1
    assert found[-1]["metadata"]["usage"]["completion_tokens"] == 3


def test_conversations_and_rename(chat):
    body = chat.create_chat_message({"who": "Bob"}, "hello there", "u1", response_mode="blocking").json()
    listed = chat.get_conversations("u1").json()
    assert listed["data"][0]["id"] == body["conversation_id"]
    assert listed["data"][0]["introduction"] == "Hi Bob"
    renamed = chat.rename_conversation(body["conversation_id"], "new name", "u1")
    assert renamed.json()["name"] == "new name"
    assert chat.get_conversations("somebody else").json()["data"] == []


def test_feedback_parameters_and_upload(chat, tmp_path):
    body = chat.create_chat_message({"who": "Bob"}, "x", "u1", response_mode="blocking").json()
    assert chat.message_feedback(body["message_id"], "like", "u1").json() == {"result": "success"}
    assert chat.get_conversation_messages("u1", body["conversation_id"]).json()["data"][0]["feedback"] == {
        "rating": "like"}
    assert chat.message_feedback(body["message_id"], "like", "u2").status_code == 404
    assert chat.get_application_parameters("u1").json()["opening_statement"] == "Hi {{who}}"
    path = tmp_path / "a.txt"
    path.write_text("alpha")
    with open(path, "rb") as file:
        uploaded = chat.file_upload("u1", {"file": ("a.txt", file, "text/plain")})
    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.json()["extension"] == "txt"


def test_errors_are_4xx_in_both_modes(chat):
    for mode in ("blocking", "streaming"):
        reply = chat.create_chat_message({}, "x", "u1", response_mode=mode)
        assert (reply.status_code, reply.json()["message"]) == (400, "who is required in input form")
        reply = chat.create_chat_message({"who": "B"}, "", "u1", response_mode=mode)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_param")
    wrong = DifyClient("app-wrong")
    wrong.base_url = chat.base_url
    reply = wrong.get_application_parameters("u")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_model_failures_are_reported_and_recorded(chat):
    reply = chat.create_chat_message({"who": "B"}, "<<error:rate_limit>>", "u1", response_mode="blocking")
    assert (reply.status_code, reply.json()["code"]) == (400, "completion_request_error")
    found = events(chat.create_chat_message({"who": "B"}, "<<error:rate_limit>>", "u1", response_mode="streaming"))
    assert [event["event"] for event in found] == ["error"]
    assert "task_id" not in found[0]
    listed = chat.get_conversation_messages("u1", found[0]["conversation_id"]).json()
    assert listed["data"][0]["status"] == "error"


def test_completion(live):
    _, key = live.new_app("completion", model=MODEL, pre_prompt="Say {{query}}", user_input_form=[
        {"paragraph": {"variable": "query", "label": "q", "required": True}}])
    client = CompletionClient(key)
    client.base_url = f"{live.url}/v1"
    body = client.create_completion_message({"query": "abc"}, "blocking", "u1").json()
    assert body["answer"] == "echo: Say abc"
    assert "conversation_id" not in body
    found = events(client.create_completion_message({"query": "abc"}, "streaming", "u1"))
    assert [event["event"] for event in found] == ["message"] * 4 + ["message_end"]
