"""Two workflows to be measured: many nodes with branches, and many items of one iteration."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

_MODEL = {"provider": "openai_api_compatible", "name": "fake-llm", "mode": "chat", "completion_params": {}}
_INPUTS = {"q": "which pump?", "items": {"list": [str(number) for number in range(100)]}}


def measure(stack, console, row: type) -> Iterator[Any]:
    """Yield the wall and CPU milliseconds of each workflow, blocking through HTTPS, recorded as always."""
    for what, graph, count, goal in (("50-node branching workflow", branching(), 20, None),
                                     ("100-item parallel iteration, one model call each", iteration(), 5, None)):
        key = publish(console, what, graph)
        call = Workflow(stack, key)
        call()
        before = stack.cpu_seconds()
        times = [call() for _ in range(count)]
        yield row(f"{what}: p50", statistics.median(times) * 1000, "ms", goal)
        yield row(f"{what}: server CPU", (stack.cpu_seconds() - before) / count * 1000, "ms", goal)


def branching() -> dict[str, Any]:
    """Twelve times: a condition, two templates of which one runs, and what joins them; 50 nodes with both ends."""
    nodes, edges = [_node("start", "start", variables=[
        {"variable": "q", "label": "q", "type": "text-input", "required": True, "max_length": 200}])], []
    last, value = "start", ["start", "q"]
    for number in range(12):
        test, yes, no, join = (f"{name}{number}" for name in ("test", "yes", "no", "join"))
        sign = "contains" if number % 2 else "not contains"
        nodes += [
            _node(test, "if-else", cases=[{"id": "true", "case_id": "true", "logical_operator": "and", "conditions": [
                {"id": "c", "variable_selector": ["start", "q"], "comparison_operator": sign, "value": "pump",
                 "varType": "string"}]}]),
            _template(yes, "{{ v }} y", value), _template(no, "{{ v }} n", value),
            _node(join, "variable-aggregator", output_type="string", variables=[[yes, "output"], [no, "output"]])]
        edges += [(last, "source", test), (test, "true", yes), (test, "false", no), (yes, "source", join),
                  (no, "source", join)]
        last, value = join, [join, "output"]
    nodes.append(_node("end", "end", outputs=[{"variable": "text", "value_selector": value, "value_type": "string"}]))
    edges.append((last, "source", "end"))
    assert len(nodes) == 50
    return _graph(nodes, edges)


def iteration() -> dict[str, Any]:
    """A list of 100 and, ten at a time, a model call for each item."""
    inside = {"parentId": "each", "extent": "parent"}
    nodes = [
        _node("start", "start", variables=[
            {"variable": "items", "label": "items", "type": "json_object", "required": True}]),
        _node("each", "iteration", iterator_selector=["start", "items", "list"], iterator_input_type="array[string]",
              output_selector=["ask", "text"], output_type="array[string]", is_parallel=True, parallel_nums=10,
              error_handle_mode="terminated", flatten_output=False, start_node_id="eachstart",
              startNodeType="llm"),
        _node("eachstart", "iteration-start", isInIteration=True) | inside | {"type": "custom-iteration-start"},
        _node("ask", "llm", model=_MODEL, prompt_template=[{"role": "user", "text": "{{#each.item#}}"}],
              context={"enabled": False, "variable_selector": []}, vision={"enabled": False}, isInIteration=True,
              iteration_id="each") | inside,
        _node("end", "end", outputs=[{"variable": "all", "value_selector": ["each", "output"],
                                      "value_type": "array[string]"}])]
    return _graph(nodes, [("start", "source", "each"), ("eachstart", "source", "ask"),
                          ("each", "source", "end")])


def publish(console, name: str, graph: dict[str, Any]) -> str:
    """Import and publish a workflow; return an API key of it."""
    file = {"app": {"name": name, "mode": "workflow", "icon": "x", "icon_background": "#FFEAD5", "description": ""},
            "kind": "app", "version": "0.6.0", "workflow": {
                "graph": graph, "features": {}, "environment_variables": [], "conversation_variables": []}}
    app_id = console.call("POST", "/apps/imports", {"yaml_content": json.dumps(file)})["app_id"]
    console.call("POST", f"/apps/{app_id}/workflows/publish", {})
    return console.call("POST", f"/apps/{app_id}/api-keys", {})["token"]


class Workflow:
    """Runs a workflow, blocking, on one kept-alive connection."""

    def __init__(self, stack, key: str):
        self.connection = stack.connect()
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __call__(self) -> float:
        """Run it once and return the seconds; raise RuntimeError if it did not succeed."""
        start = time.perf_counter()
        self.connection.request("POST", "/v1/workflows/run", json.dumps(
            {"inputs": _INPUTS, "user": "bench", "response_mode": "blocking"}), self.headers)
        reply = json.loads(self.connection.getresponse().read())
        if (reply.get("data") or {}).get("status") != "succeeded":
            raise RuntimeError(f"The workflow failed: {str(reply)[:400]}")
        return time.perf_counter() - start


def _node(identity: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": identity, "type": "custom", "position": {"x": 0, "y": 0}, "width": 244, "height": 54,
            "data": {"type": kind, "title": identity, "desc": "", **data}}


def _template(identity: str, text: str, value: list[str]) -> dict[str, Any]:
    return _node(identity, "template-transform", template=text,
                 variables=[{"variable": "v", "value_selector": value}])


def _graph(nodes: list[dict[str, Any]], edges: list[tuple[str, str, str]]) -> dict[str, Any]:
    kinds = {node["id"]: node["data"]["type"] for node in nodes}
    return {"nodes": nodes, "edges": [
        {"id": f"{source}-{handle}-{target}", "source": source, "sourceHandle": handle, "target": target,
         "targetHandle": "target", "type": "custom", "data": {"sourceType": kinds[source], "targetType": kinds[target]}}
        for source, handle, target in edges]}
