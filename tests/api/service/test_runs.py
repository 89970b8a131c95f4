"""Runs are independent of their client: they go on, stop within a second, and are settled after a crash."""

from __future__ import annotations

import json
import threading
import time

import pytest
import requests

from .conftest import MODEL, flow_app


def ask(live, key, body, **options):
    """Post a chat message."""
    return requests.post(f"{live.url}/v1/chat-messages", headers={"Authorization": f"Bearer {key}"},
                         json={"inputs": {}, "user": "u1", "auto_generate_name": False, **body}, **options)


def wait_for(check, seconds=5.0):
    """Return what `check` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def stored(live, app_id):
    """Return the messages of the newest conversation, as the console shows them."""
    talks = live.admin.get(f"/apps/{app_id}/chat-conversations").json["data"]
    if not talks:
        return []
    return live.admin.get(f"/apps/{app_id}/chat-messages?conversation_id={talks[0]['id']}").json["data"]


def test_a_client_that_leaves_does_not_end_the_run(live):
    app_id, key = live.new_app(model=MODEL)
    response = ask(live, key, {"query": "<<tokens:10>><<slow:30>>", "response_mode": "streaming"}, stream=True)
    next(response.iter_lines())
    response.close()
    assert wait_for(lambda: [item for item in stored(live, app_id) if item["answer"].endswith("w10")])


def test_stop_ends_a_run_soon(live):
    app_id, key = live.new_app(model=MODEL)
    response = ask(live, key, {"query": "<<tokens:200>><<slow:100>>", "response_mode": "streaming"}, stream=True)
    lines = response.iter_lines(decode_unicode=True)
    first = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
    began = time.monotonic()
    stopped = requests.post(f"{live.url}/v1/chat-messages/{first['task_id']}/stop", json={"user": "u1"},
                            headers={"Authorization": f"Bearer {key}"})
    assert stopped.json() == {"result": "success"}
    rest = [json.loads(line[6:])["event"] for line in lines if line.startswith("data: ")]
    assert time.monotonic() - began < 8  # of 20 s
    assert rest[-1] == "message_end"
    assert stored(live, app_id)[0]["answer"].startswith("w1")


def test_a_stop_before_the_model_is_asked_is_not_lost(live, monkeypatch):
    from sparrow.apps import basic

    retrieve = basic.retrieve

    def slow(turn, cancel):
        turn.live.stop()
        assert cancel.cancelled
        return retrieve(turn, cancel)

    monkeypatch.setattr(basic, "retrieve", slow)
    _, key = live.new_app(model=MODEL)
    begun = time.monotonic()
    reply = ask(live, key, {"query": "<<first:8000>>"}).json()
    assert (reply["answer"], time.monotonic() - begun < 4) == ("", True)


def test_an_agent_does_without_a_tool_that_is_gone(live):
    _, key = live.new_app("agent-chat", model={**MODEL, "name": "fake-tool"}, agent_mode={
        "enabled": True, "strategy": "function_call", "tools": [
            {"enabled": True, "provider_type": "api", "provider_id": "gone", "tool_name": "gone"}]})
    reply = ask(live, key, {"query": "hello", "response_mode": "streaming"})
    assert '"event":"message_end"' in reply.text.replace(" ", "")


def test_another_user_cannot_stop_it(live):
    _, key = live.new_app(model=MODEL)
    response = ask(live, key, {"query": "<<tokens:5>><<slow:60>>", "response_mode": "streaming"}, stream=True)
    lines = response.iter_lines(decode_unicode=True)
    first = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
    requests.post(f"{live.url}/v1/chat-messages/{first['task_id']}/stop", json={"user": "u2"},
                  headers={"Authorization": f"Bearer {key}"})
    text = first["answer"] + "".join(json.loads(line[6:]).get("answer", "") for line in lines
                                     if line.startswith("data: "))
    assert text == "w1 w2 w3 w4 w5"


def test_what_a_lost_process_left_is_settled(live):
    from sparrow.apps import live as runs
    from sparrow.apps import settle
    from sparrow.storage import db
    from sparrow.storage.tables.conversations import messages

    app_id, key = live.new_app(model=MODEL)
    ask(live, key, {"query": "hello"})
    gone = runs.owner().rpartition(":")[0] + ":0"  # a process of this machine that had this one's number before
    with db.write() as tx:
        tx.execute(messages.update().values(status="running", answer="", owner=gone))
    assert settle.settle() == 1
    assert stored(live, app_id)[0]["status"] == "error"


def test_debug_chat_of_an_unsaved_configuration(live):
    app_id, _ = live.new_app(model=MODEL)
    reply = live.admin.post(f"/apps/{app_id}/chat-messages", json={
        "query": "<<upper>> shout", "response_mode": "blocking", "model_config": {"model": MODEL, "pre_prompt": "P"}})
    assert reply.status_code == 200, reply.text
    assert reply.json["answer"] == "SHOUT"
    assert live.fake.requests[-1]["body"]["messages"][0]["content"] == "P\n"


@pytest.mark.parametrize("mode", ["chat", "completion", "advanced-chat", "workflow"])
def test_the_blocking_reply_of_a_stopped_run(live, mode):
    """Who waits for a whole answer gets what there is of it at once, and so does the history."""
    from sparrow.apps import live as runs

    words = "<<tokens:200>><<slow:50>>"
    if mode in ("advanced-chat", "workflow"):
        key = flow_app(live, mode)
    else:
        config = {"model": MODEL}
        if mode == "completion":
            config |= {"prompt_type": "simple", "pre_prompt": "{{q}}", "user_input_form": [
                {"paragraph": {"label": "q", "variable": "q", "required": True, "default": ""}}]}
        _, key = live.new_app(mode, **config)
    path, body = {"workflow": ("workflows/run", {"inputs": {"word": words}}),
                  "completion": ("completion-messages", {"inputs": {"q": words}})}.get(
        mode, ("chat-messages", {"inputs": {}, "query": words, "auto_generate_name": False}))
    stopped: list[float] = []

    def stop() -> None:
        wait_for(lambda: live.fake.requests and runs.count())
        time.sleep(0.4)  # some words have come
        stopped.append(time.monotonic())
        for task in list(runs._live):
            assert requests.post(f"{live.url}/v1/{ {'workflow': 'workflows/tasks'}.get(mode, path)}/{task}/stop",
                                 json={"user": "u1"}, headers={"Authorization": f"Bearer {key}"}).json() == {
                                     "result": "success"}

    stopper = threading.Thread(target=stop)
    stopper.start()
    reply = requests.post(f"{live.url}/v1/{path}", headers={"Authorization": f"Bearer {key}"},
                          json={"user": "u1", "response_mode": "blocking", **body})
    stopper.join()
    assert time.monotonic() - stopped[0] < 5  # of 10 s
    assert reply.status_code == 200, reply.text
    if mode == "workflow":
        data = reply.json()["data"]
        assert (data["status"], data["outputs"]) == ("stopped", {})
        assert data["finished_at"]
        run = requests.get(f"{live.url}/v1/workflows/run/{data['id']}", headers={"Authorization": f"Bearer {key}"})
        assert run.json()["status"] == "stopped"
        return
    answer = reply.json()["answer"]
    assert answer.startswith("w1 ")
    assert "w200" not in answer
    assert reply.json()["mode"] == mode
    if mode != "completion":
        history = requests.get(f"{live.url}/v1/messages", headers={"Authorization": f"Bearer {key}"}, params={
            "user": "u1", "conversation_id": reply.json()["conversation_id"]}).json()["data"]
        assert [item["answer"] for item in history] == [answer]
