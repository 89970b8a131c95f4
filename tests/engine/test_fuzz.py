"""Graphs whose nodes hold anything: refused with the node's name, or run to an end; never a crash."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from sparrow.engine import events as ev
from sparrow.engine.graph import Graph, GraphError
from sparrow.engine.ports import PortError, Ports
from sparrow.engine.run import run
from tests.engine.flow import SYSTEM, LocalCode, code, llm, node
from tests.fake_model import FakeModel

MODEL = {"provider": "openai", "name": "fake-llm", "mode": "chat", "completion_params": {"temperature": 0.5}}
CONDITION = {"variable_selector": ["s", "q"], "comparison_operator": "contains", "value": "a",
             "sub_variable_condition": {"logical_operator": "and", "conditions": [
                 {"key": "type", "comparison_operator": "in", "value": ["image"]}]}}
NODES = [
    llm("a", "{{#s.q#}}", memory={"window": {"enabled": True, "size": 3}}, vision={
        "enabled": True, "configs": {"variable_selector": ["sys", "files"]}},
        structured_output_enabled=True, structured_output={"schema": {"type": "object"}}),
    code("b", "def main(x):\n    return {'o': x}", {"o": "string"}, {"x": ["s", "q"]}, error_strategy="default-value",
         default_value=[{"key": "o", "type": "string", "value": "d"}], retry_config={
             "retry_enabled": True, "max_retries": 1, "retry_interval": 1}),
    node("c", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [CONDITION]}]),
    node("d", "template-transform", template="{{ x }}", variables=[{"variable": "x", "value_selector": ["s", "q"]}]),
    node("e", "variable-aggregator", variables=[["s", "q"]], advanced_settings={
        "group_enabled": True, "groups": [{"group_name": "g", "variables": [["s", "q"]]}]}),
    node("f", "list-operator", variable=["s", "l"], filter_by={"enabled": True, "conditions": [
        {"key": "", "comparison_operator": "contains", "value": "a"}]}, order_by={"enabled": True, "value": "asc"},
        limit={"enabled": True, "size": 2}, extract_by={"enabled": True, "serial": "1"}),
    node("g", "question-classifier", model=MODEL, query_variable_selector=["s", "q"],
         classes=[{"id": "1", "name": "A"}, {"id": "2", "name": "B"}], instruction="x"),
    node("h", "parameter-extractor", model=MODEL, query=["s", "q"], reasoning_mode="prompt", parameters=[
        {"name": "n", "type": "number", "required": True, "description": "d", "options": ["1"]}]),
    node("i", "http-request", method="post", url="http://x/{{#s.q#}}", headers="a:b", params="c:d", authorization={
        "type": "api-key", "config": {"type": "bearer", "api_key": "k", "header": "H"}},
        body={"type": "form-data", "data": [{"key": "k", "type": "text", "value": "v"}]}, timeout={"connect": 1}),
    node("j", "assigner", version="2", items=[{"variable_selector": ["s", "q"], "operation": "over-write",
                                               "input_type": "variable", "value": ["s", "l"]}]),
    node("k", "document-extractor", variable_selector=["s", "q"]),
    node("l", "loop", loop_count=2, start_node_id="ls", loop_variables=[
        {"label": "v", "var_type": "string", "value_type": "constant", "value": "1"}], break_conditions=[CONDITION],
        logical_operator="and"),
    node("ls", "loop-start", loop_id="l"),
    node("m", "iteration", iterator_selector=["s", "l"], output_selector=["m", "item"], start_node_id="ms",
         is_parallel=True, parallel_nums=2, error_handle_mode="continue-on-error"),
    node("ms", "iteration-start", iteration_id="m"),
    node("n", "tool", provider_type="builtin", provider_id="p", tool_name="t", tool_parameters={
        "a": {"type": "mixed", "value": "{{#s.q#}}"}}, tool_configurations={"b": 1}),
    node("o", "agent", agent_strategy_name="function_calling", agent_parameters={
        "model": {"type": "constant", "value": {"provider": "openai", "model": "fake-llm"}},
        "query": {"type": "constant", "value": "x"}, "tools": {"type": "constant", "value": []},
        "maximum_iterations": {"type": "constant", "value": 2}}),
    node("p", "knowledge-retrieval", query_variable_selector=["s", "q"], dataset_ids=["x"], retrieval_mode="multiple",
         multiple_retrieval_config={"top_k": 3}),
    node("q", "answer", answer="{{#a.text#}}"),
    node("z", "end", outputs=[{"variable": "o", "value_selector": ["a", "text"]}]),
]
JUNK = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.just(10**30), st.floats(), st.text(max_size=6),
                 st.just("{{#s.q#}}"), st.just([]), st.just({}), st.just([[]]), st.just([{}]), st.just(["s", "q"]),
                 st.just({"a": {"b": []}}))


class Web:
    """Refuses every request."""

    def request(self, request, cancel):
        raise PortError("no way there", "HttpRequestNodeError")


def places(value, path=()):
    """Return the paths of everything inside a value."""
    found = [path] if path else []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(item, (*path, key))
    return found


@st.composite
def damaged(draw):
    """Return a node with one to three of its settings replaced by junk."""
    item = copy.deepcopy(draw(st.sampled_from(NODES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(item["data"])))
        target = item["data"]
        for key in path[:-1]:
            target = target[key]
        if path != ("type",):
            target[path[-1]] = copy.deepcopy(draw(JUNK))
    return item


@settings(max_examples=300, deadline=None, derandomize=True)
@given(damaged(), st.one_of(st.text(max_size=3), st.lists(st.text(max_size=2), max_size=3), st.none()))
def test_every_run_ends(item, value):
    inside = [other for other in NODES
              if item["id"] in (other["data"].get("loop_id"), other["data"].get("iteration_id"))]
    nodes = [node("s", "start", variables=[]), item, *inside]
    try:
        flow = Graph.parse({"nodes": nodes, "edges": [{"source": "s", "target": item["id"]}]})
    except GraphError as error:
        assert str(error)
        return
    try:
        events = list(run(flow, {"q": value, "l": value}, Ports(models=FakeModel(), code=LocalCode(), http=Web()),
                          system=SYSTEM))
    except GraphError as error:  # a model that is not set up
        assert str(error)
        return
    assert isinstance(events[-1], ev.RunFinished)
    assert events[-1].status in ("succeeded", "failed", "partial-succeeded")
