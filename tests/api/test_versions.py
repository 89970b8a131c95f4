"""Versions and runs as the console shows them: publish, list, compare, go back; a run with its steps."""

from __future__ import annotations

import contextlib
import json


def node(name: str, kind: str, **data) -> dict:
    """Return a node of a graph."""
    return {"id": name, "type": "custom", "position": {"x": 0, "y": 0}, "data": {"type": kind, "title": name, **data}}


def graph(text: str) -> dict:
    """Return a workflow that gives back a fixed text."""
    return {"nodes": [node("start", "start", variables=[]),
                      node("text", "template-transform", template=text, variables=[]),
                      node("end", "end", outputs=[{"variable": "said", "value_selector": ["text", "output"]}])],
            "edges": [{"id": f"{a}-{b}", "source": a, "target": b, "sourceHandle": "source", "targetHandle": "target"}
                      for a, b in (("start", "text"), ("text", "end"))]}


def test_versions_and_runs(admin):
    app = admin.post("/apps", json={"name": "Greeter", "mode": "workflow"}).json
    at = f"/apps/{app['id']}"
    for text in ("good morning", "good evening"):
        saved = admin.post(f"{at}/workflows/draft", json={"graph": graph(text)})
        assert saved.status_code == 200, saved.json
        assert admin.get(f"{at}/workflows/draft").json["published"] is False
        published = admin.post(f"{at}/workflows/publish", json={"marked_name": text, "marked_comment": "why"})
        assert published.status_code == 200, published.json
        assert admin.get(f"{at}/workflows/draft").json["published"] is True
    listed = admin.get(f"{at}/workflows").json
    assert [(row["marked_name"], row["number"], row["live"]) for row in listed["data"]] == [
        ("good evening", 2, True), ("good morning", 1, False)]

    first = listed["data"][1]["id"]
    changed = admin.get(f"{at}/workflows/{first}/diff").json["nodes"]["changed"]
    assert changed == [{"id": "text", "title": "text", "fields": [
        {"name": "template", "before": "good morning", "after": "good evening"}]}]
    assert admin.post(f"{at}/workflows/{first}/restore").status_code == 200
    assert admin.get(f"{at}/workflows/{first}/diff").json["nodes"]["changed"] == []
    shorter = graph("good morning")
    shorter["edges"].pop()
    assert admin.post(f"{at}/workflows/draft", json={"graph": shorter}).status_code == 200
    compared = admin.get(f"{at}/workflows/{first}/diff").json
    assert compared["edges"] == {"added": [], "removed": [{"id": "text-end", "source": "text", "target": "end"}]}
    assert compared["titles"] == {"start": "start", "text": "text", "end": "end"}
    assert admin.post(f"{at}/workflows/{first}/restore").status_code == 200

    reply = admin.post(f"{at}/workflows/draft/run", json={"inputs": {}, "response_mode": "streaming"})
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert events[-1]["data"]["outputs"] == {"said": "good morning"}
    run = admin.get(f"{at}/workflow-runs").json["data"][0]
    assert (run["status"], run["triggered_from"]) == ("succeeded", "debugging")
    assert admin.get(f"{at}/workflow-runs/{run['id']}").json["outputs"] == {"said": "good morning"}
    steps = admin.get(f"{at}/workflow-runs/{run['id']}/node-executions").json["data"]
    assert [step["node_id"] for step in steps] == ["start", "text", "end"]
    assert steps[1]["outputs"] == {"output": "good morning"}


def test_what_is_saved_while_somebody_publishes_is_published(admin, monkeypatch):
    from sparrow.apps import version
    from sparrow.storage import db

    at = f"/apps/{admin.post('/apps', json={'name': 'Greeter', 'mode': 'workflow'}).json['id']}"
    admin.post(f"{at}/workflows/draft", json={"graph": graph("good morning")})

    class Late:
        """The database, in which another window saves right before the first transaction here."""

        read, write = staticmethod(db.read), staticmethod(db.write)

    @contextlib.contextmanager
    def write():
        Late.write = staticmethod(db.write)
        assert admin.post(f"{at}/workflows/draft", json={"graph": graph("good evening")}).status_code == 200
        with db.write() as tx:
            yield tx

    Late.write = staticmethod(write)
    monkeypatch.setattr(version, "db", Late)
    assert admin.post(f"{at}/workflows/publish", json={}).status_code == 200
    assert admin.get(f"{at}/workflows/draft").json["published"] is True
    live = admin.get(f"{at}/workflows").json["data"][0]["id"]
    assert admin.get(f"{at}/workflows/{live}/diff").json["nodes"]["changed"] == []


def test_a_chat_apps_draft_is_not_live_before_it_is_published(admin):
    at = f"/apps/{admin.post('/apps', json={'name': 'Clerk', 'mode': 'chat'}).json['id']}"
    fresh = admin.get(f"{at}/model-config/draft").json
    assert fresh["published"]
    first = fresh["live_id"]
    config = {**fresh["config"], "pre_prompt": "Be brief."}
    saved = admin.post(f"{at}/model-config/draft", json={"config": config, "hash": fresh["hash"]}).json
    assert (saved["published"], saved["live_id"], saved["config"]["pre_prompt"]) == (False, first, "Be brief.")
    assert admin.get(f"{at}/workflows/{first}").json["pre_prompt"] == ""  # what clients run

    # Somebody else who still has the state before does not overwrite it unasked.
    late = {"config": {**config, "pre_prompt": "Be long."}, "hash": fresh["hash"]}
    refused = admin.post(f"{at}/model-config/draft", json=late)
    assert (refused.status_code, refused.json["code"]) == (409, "draft_workflow_not_sync")
    assert admin.get(f"{at}/model-config/draft").json == saved

    for name in ("Brief", "Renamed"):  # publishing without a change makes no version
        assert admin.post(f"{at}/workflows/publish", json={"marked_name": name}).status_code == 200
    listed = admin.get(f"{at}/workflows").json["data"]
    assert [(row["number"], row["marked_name"], row["live"]) for row in listed] == [
        (2, "Renamed", True), (1, "", False)]
    assert admin.get(f"{at}/model-config/draft").json["published"]

    assert admin.post(f"{at}/workflows/{first}/restore").status_code == 200  # into the draft
    restored = admin.get(f"{at}/model-config/draft").json
    assert (restored["published"], restored["config"]["pre_prompt"]) == (False, "")
    assert "pre_prompt: ''" in admin.get(f"{at}/export").json["data"]
    assert admin.post(f"{at}/workflows/{listed[0]['id']}/restore").status_code == 200  # the changes are given up
    assert admin.get(f"{at}/model-config/draft").json["published"]

    # Dify's own way saves and publishes in one, whatever the draft was.
    assert admin.post(f"{at}/model-config", json={**config, "pre_prompt": "Be kind."}).status_code == 200
    now = admin.get(f"{at}/model-config/draft").json
    assert (now["published"], now["config"]["pre_prompt"]) == (True, "Be kind.")
    assert admin.post(f"{at}/model-config/draft", json={"config": {"model": "no object"}}).status_code == 400
    assert admin.get(f"{at}/model-config/draft").json == now
