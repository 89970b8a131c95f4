"""Runs that wait for people: answers that cross, what a conversation counts, and runs killed half-way."""

from __future__ import annotations

import threading
import time

import requests
import sqlalchemy as sa

from sparrow.apps import form, ports
from sparrow.apps import live as runs
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations
from sparrow.storage.tables.runs import forms, node_executions, workflow_runs

from .test_triggers import end, last_run, node, publish

MODEL = {"provider": "langgenius/openai/openai", "name": "fake-llm", "mode": "chat", "completion_params": {}}


def ask(identity):
    return node(identity, "human-input", form_content="ok?", inputs=[], timeout=1, timeout_unit="hour",
                user_actions=[{"id": "yes", "title": "Yes"}], delivery_methods=[{"type": "webapp", "enabled": True}])


def say(identity, text):
    return node(identity, "llm", model=MODEL, prompt_template=[{"role": "user", "text": text}],
                context={"enabled": False, "variable_selector": []}, vision={"enabled": False})


def start(live, app_id, path="workflows/run", **body):
    return requests.post(f"{live.url}/v1/{path}", json={"inputs": {}, "user": "u", **body}, timeout=20,
                         headers={"Authorization": f"Bearer {live.new_key(app_id)}"}).json()


def waiting():
    with db.read() as tx:
        return {row.node_id: row.token for row in tx.execute(sa.select(forms).where(forms.c.status == "waiting"))}


def test_a_form_filled_while_the_run_goes_on_is_not_lost(live):
    app_id = publish(live, [node("s", "start", variables=[]), ask("h1"), say("m", "<<first:700>>"), ask("h2"),
                            end(("a", "h1", "__action_id"), ("b", "h2", "__action_id"))],
                     ("s", "h1", "source"), ("s", "h2", "source"), ("h1", "m", "yes"), ("m", "e", "source"),
                     ("h2", "e", "yes"))
    assert start(live, app_id)["data"]["status"] == "paused"
    tokens = waiting()
    form.submit(tokens["h1"], {}, "yes")
    time.sleep(0.2)
    form.submit(tokens["h2"], {}, "yes")
    assert last_run(app_id).outputs == {"a": "yes", "b": "yes"}


def test_a_paused_message_counts_once(live):
    app_id = live.admin.post("/apps", json={"name": "t", "mode": "advanced-chat"}).json["id"]
    graph = {"nodes": [node("s", "start", variables=[]), ask("h"),
                       node("a", "answer", answer="turn {{#sys.dialogue_count#}}")],
             "edges": [{"id": "1", "source": "s", "target": "h", "sourceHandle": "source"},
                       {"id": "2", "source": "h", "target": "a", "sourceHandle": "yes"}]}
    assert live.admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": graph}).status_code == 200
    assert live.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code == 200
    assert start(live, app_id, "chat-messages", query="x")["event"] == "workflow_paused"
    form.submit(waiting()["h"], {}, "yes")
    last_run(app_id)
    runs.wait_for_all()
    with db.read() as tx:
        assert tx.execute(sa.select(conversations.c.message_count)).scalar() == 1


def test_a_run_whose_version_was_deleted_fails(live):
    app_id = publish(live, [node("s", "start", variables=[]), ask("h"), end()],
                     ("s", "h", "source"), ("h", "e", "yes"))
    start(live, app_id)
    with db.write() as tx:
        tx.execute(workflow_runs.update().values(version_id="gone"))
    form.submit(waiting()["h"], {}, "yes")
    assert last_run(app_id).status == "failed"


def test_nodes_are_written_while_a_slow_one_runs(live):
    app_id = publish(live, [node("s", "start", variables=[]), node("t", "template-transform", template="x"),
                            say("m", "<<first:6000>>"), end()],
                     ("s", "t", "source"), ("t", "m", "source"), ("m", "e", "source"))
    threading.Thread(target=start, args=(live, app_id), daemon=True).start()
    until = time.monotonic() + 5
    found: list[str] = []
    while time.monotonic() < until and len(found) < 2:
        with db.read() as tx:
            found = tx.execute(sa.select(node_executions.c.node_id)).scalars().all()
        time.sleep(0.1)
    assert found == ["s", "t"]
    assert last_run(app_id, ("running",))
    runs.stop(next(iter(runs._live)), app_id)
    runs.wait_for_all()


def test_a_run_that_goes_on_knows_the_clients_address_and_names_its_conversation(live, monkeypatch):
    known = []
    of = ports.of
    monkeypatch.setattr(ports, "of", lambda turn, variables: known.append(turn.order.base_url) or of(turn, variables))
    app_id = chatflow(live, [node("s", "start", variables=[]), ask("h"), node("a", "answer", answer="done")],
                      ("s", "h", "source"), ("h", "a", "yes"))
    assert start(live, app_id, "chat-messages", query="which pump?")["event"] == "workflow_paused"
    asked = [request["body"]["messages"][-1]["content"] for request in wait_for(lambda: live.fake.requests)]
    assert any(text.startswith("Give this conversation a title") and "which pump?" in text for text in asked)
    form.submit(waiting()["h"], {}, "yes")
    last_run(app_id)
    assert known == [live.url, live.url]


def test_a_conversation_variable_is_stored_while_the_run_goes_on(live):
    assign = node("v", "assigner", version="2", items=[{
        "variable_selector": ["conversation", "mood"], "input_type": "constant", "operation": "set", "value": "sunny"}])
    app_id = chatflow(
        live, [node("s", "start", variables=[]), assign, say("m", "<<first:6000>>"),
               node("a", "answer", answer="{{#m.text#}}")],
        ("s", "v", "source"), ("v", "m", "source"), ("m", "a", "source"),
        conversation_variables=[{"id": "00000000-0000-0000-0000-000000000001", "name": "mood", "value_type": "string",
                                 "value": "grey", "description": ""}])
    threading.Thread(target=start, args=(live, app_id, "chat-messages"), kwargs={"query": "x"}, daemon=True).start()

    def stored():
        with db.read() as tx:
            found = tx.execute(sa.select(conversations.c.variables)).scalar()
        return found and [(item["name"], item["value"]) for item in found]

    assert wait_for(stored) == [("mood", "sunny")]
    assert runs.count() == 1, "the run goes on"
    runs.stop(next(iter(runs._live)), app_id)
    runs.wait_for_all()
    assert stored() == [("mood", "sunny")]


def chatflow(live, nodes, *edges, **more):
    app_id = live.admin.post("/apps", json={"name": "t", "mode": "advanced-chat"}).json["id"]
    graph = {"nodes": nodes, "edges": [
        {"id": f"{one}-{other}-{handle}", "source": one, "target": other, "sourceHandle": handle}
        for one, other, handle in edges]}
    assert live.admin.post(f"/apps/{app_id}/workflows/draft", json={"graph": graph, **more}).status_code == 200
    assert live.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code == 200
    return app_id


def wait_for(look):
    until = time.monotonic() + 5
    while not (found := look()) and time.monotonic() < until:
        time.sleep(0.05)
    return found
