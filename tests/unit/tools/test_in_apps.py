"""Tools of each kind in imported apps: found by the file's names, called by the scripted model, told when missing."""

from __future__ import annotations

import json

import pytest
import requests
import yaml

from tests.unit.tools.conftest import Service
from tests.unit.tools.test_console_tools import KEY, add_api
from tests.unit.tools.test_mcp_server import new_workflow

MODEL = {"provider": "langgenius/openai/openai", "name": "fake-tool", "mode": "chat", "completion_params": {}}
# kind: provider_id as another box exported it, provider_name, tool_name, arguments, what the result has in it
ELSEWHERE = "2ebe9c1d-46ef-4735-93f1-e901de242584"
KINDS = {
    "builtin": ("langgenius/maths/maths", "langgenius/maths/maths", "eval_expression", {"expression": "6*7"}, "42"),
    "api": (ELSEWHERE, "weather", "getWeather", {"city": "杭州"}, "secret-key"),
    "mcp": ("fixture", "Fixture", "add", {"a": 40, "b": 2}, "40 + 2 = 42"),
    "workflow": (ELSEWHERE, "天气", "weather_report", {"city": "杭州"}, "杭州"),
}


def agent_app(kind: str) -> dict:
    provider_id, provider_name, tool, _, _ = KINDS[kind]
    return {"kind": "app", "version": "0.6.0", "app": {"name": "a", "mode": "agent-chat"}, "model_config": {
        "model": MODEL, "pre_prompt": "", "agent_mode": {
            "enabled": True, "strategy": "function_call", "max_iteration": 3, "tools": [{
                "enabled": True, "provider_type": kind, "provider_id": provider_id, "provider_name": provider_name,
                "tool_name": tool, "tool_label": tool, "tool_parameters": {}}]}}}


def graph_app(mode: str, node: dict, answer: str) -> dict:
    end = {"type": "end", "title": "e", "outputs": [{"variable": "said", "value_selector": ["n", "text"]}]} \
        if mode == "workflow" else {"type": "answer", "title": "e", "answer": answer}
    variables = [{"variable": "q", "label": "q", "type": "paragraph", "required": True}] if mode == "workflow" else []
    nodes = [("s", {"type": "start", "title": "s", "variables": variables}), ("n", node), ("e", end)]
    return {"kind": "app", "version": "0.6.0", "app": {"name": "g", "mode": mode}, "workflow": {
        "features": {}, "environment_variables": [], "conversation_variables": [], "graph": {
            "nodes": [{"id": name, "type": "custom", "position": {"x": 0, "y": 0}, "data": data}
                      for name, data in nodes],
            "edges": [{"id": f"{a}-{b}", "source": a, "target": b, "sourceHandle": "source", "targetHandle": "target"}
                      for a, b in (("s", "n"), ("n", "e"))]}}}


def tool_node(kind: str) -> dict:
    provider_id, provider_name, tool, arguments, _ = KINDS[kind]
    return {"type": "tool", "title": "n", "provider_type": kind, "provider_id": provider_id,
            "provider_name": provider_name, "tool_name": tool, "tool_label": tool, "tool_configurations": {},
            "tool_node_version": "2", "credential_id": ELSEWHERE,
            "tool_parameters": {name: {"type": "mixed", "value": str(value)} for name, value in arguments.items()}}


def agent_node(kind: str, strategy: str) -> dict:
    _, provider_name, tool, _, _ = KINDS[kind]
    name = KINDS[kind][0] if kind == "mcp" else provider_name
    return {"type": "agent", "title": "n", "agent_strategy_provider_name": "langgenius/agent/agent",
            "agent_strategy_name": strategy, "agent_strategy_label": strategy, "agent_parameters": {
                "model": {"type": "constant", "value": {**MODEL, "model": "fake-tool", "type": "model-selector"}},
                "instruction": {"type": "constant", "value": ""},
                "query": {"type": "constant", "value": "{{#s.q#}}"},
                "tools": {"type": "constant", "value": [{
                    "enabled": True, "type": kind, "provider_name": name, "tool_name": tool, "parameters": {},
                    "settings": {}, "extra": {"description": "Use it"}}]}}}


def load(live, file: dict) -> tuple[str, list[dict]]:
    reply = live.admin.post("/apps/imports", json={"mode": "yaml-content", "yaml_content": yaml.safe_dump(file)})
    assert reply.status_code == 200, reply.text
    return reply.json["app_id"], [item for item in reply.json["warnings"] if item["code"] == "tool_missing"]


@pytest.fixture
def provided(live, service, mcp_address):
    """The box has a tool of each kind."""
    assert add_api(live.admin, service).status_code == 201
    assert live.admin.post("/tool-providers/mcp", json={
        "name": "Fixture", "server_identifier": "fixture", "server_url": f"{mcp_address}/mcp"}).status_code == 201
    assert live.admin.post("/tool-providers/workflow", json={
        "workflow_app_id": new_workflow(live), "name": "weather_report", "label": "天气"}).status_code == 201
    return live


def post(live, key, path, **body):
    return requests.post(f"{live.url}/v1{path}", headers={"Authorization": f"Bearer {key}"},
                         json={"inputs": {}, "user": "u1", "auto_generate_name": False, **body})


def directive(kind: str) -> str:
    _, _, tool, arguments, _ = KINDS[kind]
    return f"go <<tool:{tool}:{json.dumps(arguments, ensure_ascii=False)}>>"


@pytest.mark.parametrize("kind", KINDS)
def test_agent_apps(provided, kind):
    app_id, warnings = load(provided, agent_app(kind))
    assert warnings == []
    reply = post(provided, provided.new_key(app_id), "/chat-messages", query=directive(kind),
                 response_mode="streaming")
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    seen = [event["observation"] for event in events if event["event"] == "agent_thought" and event["observation"]]
    wanted = KINDS[kind][4]
    assert wanted in json.loads(seen[0])[KINDS[kind][2]]
    assert wanted in "".join(event["answer"] for event in events if event["event"] == "agent_message")
    assert events[-1]["event"] == "message_end"


@pytest.mark.parametrize("kind", KINDS)
def test_tool_nodes(provided, kind):
    app_id, warnings = load(provided, graph_app("workflow", tool_node(kind), ""))
    assert warnings == []
    assert provided.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code in (200, 201)
    data = post(provided, provided.new_key(app_id), "/workflows/run", inputs={"q": "x"},
                response_mode="blocking").json()["data"]
    assert data["status"] == "succeeded", data
    assert KINDS[kind][4] in data["outputs"]["said"]
    if kind == "api":
        assert Service.seen[-1]["headers"]["x-key"] == KEY["api_key_value"]


@pytest.mark.parametrize("kind", KINDS)
def test_agent_nodes(provided, kind):
    app_id, warnings = load(provided, graph_app("workflow", agent_node(kind, "function_calling"), ""))
    assert warnings == []
    assert provided.admin.post(f"/apps/{app_id}/workflows/publish", json={}).status_code in (200, 201)
    data = post(provided, provided.new_key(app_id), "/workflows/run", inputs={"q": directive(kind)},
                response_mode="blocking").json()["data"]
    assert data["status"] == "succeeded", data
    assert KINDS[kind][4] in data["outputs"]["said"]


def test_react(provided):
    app_id, _ = load(provided, graph_app("workflow", agent_node("mcp", "ReAct"), ""))
    provided.admin.post(f"/apps/{app_id}/workflows/publish", json={})
    provided.fake.answers = {"Observation: 40 + 2 = 42": 'Thought: done\nAction:\n{"action": "Final Answer", '
                                                         '"action_input": "It is 42."}'}
    question = '<<say:Thought: add\nAction:\n{"action": "add", "action_input": {"a": 40, "b": 2}}>>'
    data = post(provided, provided.new_key(app_id), "/workflows/run", inputs={"q": question},
                response_mode="blocking").json()["data"]
    assert data["status"] == "succeeded", data
    told = json.dumps([request["body"]["messages"] for request in provided.fake.requests])
    assert "Observation: 40 + 2 = 42" in told


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_told(live, kind):
    file = graph_app("workflow", {**tool_node(kind), "tool_name": "nothing", "provider_id": "nobody",
                                  "provider_name": "nobody"}, "")
    app_id, warnings = load(live, file)
    assert [(item["node_id"], "nothing" in item["message"]) for item in warnings] == [("n", True)]
    assert len(load(live, graph_app("advanced-chat", agent_node(kind, "ReAct"), "{{#n.text#}}"))[1]) == (
        0 if kind == "builtin" else 1)
    live.admin.post(f"/apps/{app_id}/workflows/publish", json={})
    data = post(live, live.new_key(app_id), "/workflows/run", inputs={"q": "x"},
                response_mode="blocking").json()["data"]
    assert data["status"] == "failed"
    assert "does not exist here" in data["error"]
