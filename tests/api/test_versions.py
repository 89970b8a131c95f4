"""Versions and runs as the console shows them: publish, list, compare, go back; a run with its steps."""

from __future__ import annotations

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
        published = admin.post(f"{at}/workflows/publish", json={"marked_name": text, "marked_comment": "why"})
        assert published.status_code == 200, published.json
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
