"""The API of an app's public page: a pass for one app, what a visitor made and nothing else."""

from __future__ import annotations

import pytest
import requests

from sparrow.apps import attachment

from .conftest import MODEL, flow_app
from .test_chat_features import Client


class Visitor(Client):
    """A browser on an app's page."""

    def __init__(self, live, app_id: str):
        found = requests.get(f"{live.url}/api/passport", headers={"X-App-Code": app_id}, timeout=10)
        assert found.status_code == 200, found.text
        super().__init__(live, found.json()["access_token"], "somebody else entirely")
        self.base = f"{live.url}/api"


@pytest.fixture
def page(live):
    """A visitor of a chat app's page, and the app's id."""
    app_id, _ = live.new_app(model=MODEL, opening_statement="Hi", suggested_questions_after_answer={"enabled": True})
    return Visitor(live, app_id), app_id


def test_a_visit(live, page):
    visitor, app_id = page
    site = visitor.call("GET", "/site").json()
    assert (site["mode"], site["site"]["title"], site["published"]) == ("chat", "t", True)
    assert visitor.call("GET", "/parameters").json()["opening_statement"] == "Hi"
    assert visitor.call("GET", "/meta").json() == {"tool_icons": {}}
    body = visitor.ask("hello there")
    assert body["answer"] == "echo: hello there"
    talk = body["conversation_id"]
    assert visitor.stream("again", conversation_id=talk)[-1]["event"] == "message_end"
    messages = visitor.call("GET", f"/messages?conversation_id={talk}").json()["data"]
    assert [item["query"] for item in messages] == ["hello there", "again"]
    assert visitor.call("POST", f"/messages/{body['message_id']}/feedbacks", json={"rating": "like"}).status_code == 200
    assert visitor.call("GET", f"/messages/{body['message_id']}/suggested-questions").json()["result"] == "success"
    assert visitor.call("POST", f"/conversations/{talk}/name", json={"name": "mine"}).json()["name"] == "mine"
    assert visitor.call("PATCH", f"/conversations/{talk}/pin").status_code == 200
    assert [item["id"] for item in visitor.call("GET", "/conversations?pinned=true").json()["data"]] == [talk]
    assert visitor.call("GET", "/conversations?pinned=false").json()["data"] == []
    logged = live.admin.get(f"/apps/{app_id}/chat-conversations").json["data"]
    assert logged[0]["id"] == talk
    assert visitor.call("DELETE", f"/conversations/{talk}", json={}).status_code == 204


def test_visitors_see_only_what_is_theirs(live, page):
    visitor, app_id = page
    body = visitor.ask("x")
    other = Visitor(live, app_id)
    assert other.call("GET", "/conversations").json()["data"] == []
    assert other.call("GET", f"/messages?conversation_id={body['conversation_id']}").status_code == 404
    key = Client(live, live.new_key(app_id), "somebody else entirely")
    assert key.call("GET", "/conversations?user=somebody else entirely").json()["data"] == []


def test_visitors_upload_so_much_in_a_day(live, page, monkeypatch):
    visitor, app_id = page

    def upload(client):
        return client.call("POST", "/files/upload", files={"file": ("a.txt", b"x" * 100)}, data={"user": "u"})

    monkeypatch.setattr(attachment, "VISITOR_DAY", 150)
    assert [upload(visitor).status_code for _ in range(3)] == [201, 201, 429]
    refused = upload(visitor)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("upload_quota", "3600")
    other = Visitor(live, app_id)
    assert upload(other).status_code == 201
    monkeypatch.setattr(attachment, "PAGE_DAY", 250)
    assert upload(Visitor(live, app_id)).status_code == 429
    assert upload(Client(live, live.new_key(app_id), "u")).status_code == 201


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ü.x.y", "Bearer"])
def test_forged_passes_open_nothing(live, token):
    reply = requests.get(f"{live.url}/api/site", timeout=10,
                         headers={"Authorization": f"Bearer {token}".encode()} if token else {})
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")


def test_a_pass_is_for_one_app(live, page):
    visitor, app_id = page
    mine = visitor.headers["Authorization"].removeprefix("Bearer ")
    other_id, _ = live.new_app(model=MODEL)
    visitor.headers = {"Authorization": f"Bearer {mine.replace(app_id, other_id)}"}
    assert visitor.call("GET", "/site").status_code == 401


def test_closed_and_unknown_pages(live, page):
    visitor, app_id = page
    closed = live.admin.put(f"/apps/{app_id}", json={"enable_site": False})
    assert closed.status_code == 200, closed.text
    reply = visitor.call("GET", "/site")
    assert (reply.status_code, reply.json()["code"]) == (403, "site_disabled")
    for code in ("", "nope", "6f0c9f0e-4b0e-4a63-8d8d-0b1f5f7f8a11"):
        assert requests.get(f"{live.url}/api/passport", headers={"X-App-Code": code}, timeout=10).status_code == 404


def test_a_workflows_form(live):
    flow_app(live, "workflow")
    app_id = live.admin.get("/apps").json["data"][0]["id"]
    visitor = Visitor(live, app_id)
    form = visitor.call("GET", "/parameters").json()["user_input_form"]
    assert form[0]["text-input"]["variable"] == "word"
    found = visitor.stream("", "/workflows/run", inputs={"word": "w"})
    assert found[-1]["data"]["outputs"] == {"result": "echo: w"}
    inside = [event["data"] for event in found if event["event"] == "node_finished"]
    assert len(inside) == 3
    # What a node was given, prompts above all, is not the visitors'.
    assert all(data["inputs"] is data["process_data"] is data["outputs"] is None for data in inside)


def test_more_like_this(live):
    config = {"model": MODEL, "pre_prompt": "Say {{query}}", "user_input_form": [
        {"paragraph": {"variable": "query", "label": "q", "required": True}}]}
    app_id, _ = live.new_app("completion", **config, more_like_this={"enabled": True})
    visitor = Visitor(live, app_id)
    body = visitor.call("POST", "/completion-messages", json={"inputs": {"query": "abc"}}).json()
    more = visitor.call("GET", f"/messages/{body['message_id']}/more-like-this")
    assert more.status_code == 200, more.text
    assert more.json()["answer"] == "echo: Say abc"
    assert more.json()["message_id"] != body["message_id"]
    assert live.fake.requests[-1]["body"]["temperature"] == 0.9
    again = visitor.call("GET", f"/messages/{more.json()['message_id']}/more-like-this?response_mode=streaming")
    assert '"message_end"' in again.text
    plain, _ = live.new_app("completion", **config)
    refused = Visitor(live, plain)
    body = refused.call("POST", "/completion-messages", json={"inputs": {"query": "abc"}}).json()
    reply = refused.call("GET", f"/messages/{body['message_id']}/more-like-this")
    assert (reply.status_code, reply.json()["code"]) == (403, "app_more_like_this_disabled")
