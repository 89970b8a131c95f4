"""What follows the failure of a node, for every node type that can fail: nothing, the fail branch, values in its place,
another try; alone and beside another branch."""

from __future__ import annotations

from typing import Any

import pytest

from sparrow.engine import events as ev
from sparrow.engine.files import File
from sparrow.engine.ports import PortError, Ports, ToolInfo
from sparrow.messages import ToolSpec
from tests.engine.flow import LocalCode, code, end, graph, llm, node, play
from tests.fake_model import FakeModel

MODEL = {"provider": "openai", "name": "fake-llm", "mode": "chat", "completion_params": {}}
START = node("s", "start", variables=[])


class Broken:
    """A port of any kind whose every call fails."""

    def describe(self, ref):
        return ToolInfo(ToolSpec("t", "", {}))

    def _fail(self, *_given, **_options):
        raise PortError("the port is down", "PortDownError")

    request = retrieve = invoke = create = extract = read = _fail


def parts(**data: Any) -> dict[str, tuple[list[dict[str, Any]], str, str]]:
    """Return {name: (a node `x` that fails, with what belongs to it; the edges inside it; its error type)}."""
    file = {"variable_selector": ["s", "f"]}
    loop = {"loop_count": 2, "start_node_id": "xs", "loop_variables": [], "break_conditions": []}
    bad = "def main():\n    raise ValueError('boom')"
    return {
        "llm": ([llm("x", "<<error:rate_limit>>", **data)], "", "InvokeRateLimitError"),
        "code": ([code("x", bad, {"o": "string"}, **data)], "", "CodeExecutionError"),
        "http-request": ([node("x", "http-request", method="get", url="http://a/", **data)], "", "PortDownError"),
        "tool": ([node("x", "tool", provider_type="builtin", provider_id="p", tool_name="t", **data)], "",
                 "PortDownError"),
        "agent": ([node("x", "agent", agent_strategy_name="function_calling", agent_parameters={
            "model": {"type": "constant", "value": {**MODEL, "model": "fake-llm"}},
            "query": {"type": "constant", "value": "<<error:server>>"}}, **data)], "", "InvokeServerUnavailableError"),
        "knowledge-retrieval": ([node("x", "knowledge-retrieval", query_variable_selector=["s", "q"],
                                      dataset_ids=["d"], **data)], "", "PortDownError"),
        "parameter-extractor": ([node("x", "parameter-extractor", model=MODEL, query=["s", "e"], parameters=[
            {"name": "a", "type": "string", "required": True, "description": ""}], **data)], "", ""),
        "template-transform": ([node("x", "template-transform", template="{{ 1 / 0 }}", variables=[], **data)], "", ""),
        "document-extractor": ([node("x", "document-extractor", **file, **data)], "", ""),
        "list-operator": ([node("x", "list-operator", variable=["s", "l"], extract_by={
            "enabled": True, "serial": "9"}, **data)], "", ""),
        "assigner": ([node("x", "assigner", version="2", items=[{
            "variable_selector": ["s", "n"], "input_type": "constant", "operation": "/=", "value": 0}], **data)],
            "", ""),
        "iteration": ([node("x", "iteration", iterator_selector=["s", "l"], output_selector=["c", "o"],
                            start_node_id="xs", **data), node("xs", "iteration-start", iteration_id="x"),
                       code("c", bad, {"o": "number"}, iteration_id="x")], "xs>c", ""),
        "loop": ([node("x", "loop", **loop, **data), node("xs", "loop-start", loop_id="x"),
                  code("c", bad, {"o": "number"}, loop_id="x")], "xs>c", ""),
        "human-input": ([node("x", "human-input", form_content="a", inputs=[], user_actions=[
            {"id": "ok", "title": "OK"}], timeout=1, timeout_unit="hour", **data)], "", "PortDownError"),
        "if-else": ([node("x", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [
            {"variable_selector": ["gone", "v"], "comparison_operator": "is", "value": "1"}]}], **data)], "", ""),
        "question-classifier": ([node("x", "question-classifier", model=MODEL, query_variable_selector=["s", "e"],
                                      classes=[{"id": "1", "name": "a"}, {"id": "2", "name": "b"}], **data)], "",
                                "InvokeServerUnavailableError"),
    }


BRANCHES = {"if-else": "true", "question-classifier": "1", "human-input": "ok"}
RETRIED = ("code", "http-request", "llm", "tool")
TYPES = sorted(parts())
INPUTS = {"q": "question", "e": "<<error:server>>", "l": [1, 2], "n": 5,
          "f": File(type="document", transfer_method="local_file", filename="a.docx", extension=".docx")}


def run(name: str, beside: bool, **data: Any) -> tuple[list[ev.Event], str]:
    """Run a failing node with `ok` behind its usual way out and `no` behind its fail branch; return events, type."""
    nodes, inner, kind = parts(**data)[name]
    way = BRANCHES.get(name, "source")
    edges = f"s>x x[{way}]>ok {inner}" + (" x[fail-branch]>no" if data.get("error_strategy") == "fail-branch" else "")
    nodes = [START, *nodes, end("ok", o=["x", "o"], m=["x", "error_message"], t=["x", "error_type"]),
             end("no", m=["x", "error_message"], t=["x", "error_type"])]
    if beside:
        nodes += [code("y", "import time\ndef main():\n    time.sleep(0.02)\n    return {'o': 'y'}", {"o": "string"}),
                  end("yes", y=["y", "o"])]
        edges += " s>y y>yes"
    broken = Broken()
    ports = Ports(models=FakeModel(), code=LocalCode(), http=broken, tools=broken, knowledge=broken, files=broken,
                  forms=broken)
    return play(graph(nodes, edges), INPUTS, ports=ports), kind


def ended(events: list[ev.Event], identity: str) -> list[ev.NodeFinished]:
    return [event for event in events if isinstance(event, ev.NodeFinished) and event.node_id == identity]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", TYPES)
def test_without_a_strategy_the_run_fails(name, beside):
    events, kind = run(name, beside)
    assert events[-1].status == "failed"
    assert events[-1].error
    assert [event.status for event in ended(events, "x")] == ["failed"]
    assert ended(events, "ok") == []
    if kind:
        assert events[-1].error_type == kind


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", TYPES)
def test_the_fail_branch_is_taken_and_no_other(name, beside):
    events, kind = run(name, beside, error_strategy="fail-branch")
    final = events[-1]
    assert (final.status, final.exceptions_count) == ("partial-succeeded", 1), final.error
    (found,) = ended(events, "x")
    assert found.status == "exception"
    assert found.metadata["error_strategy"] == "fail-branch"
    assert final.outputs["m"] == found.outputs["error_message"] == found.error != ""
    assert final.outputs["t"] == found.outputs["error_type"]
    if kind:
        assert final.outputs["t"] == kind
    assert ended(events, "ok") == []
    assert final.outputs.get("y") == ("y" if beside else None)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", [name for name in TYPES if name not in BRANCHES])
def test_default_values_take_the_place_of_outputs(name, beside):
    events, _ = run(name, beside, error_strategy="default-value",
                    default_value=[{"key": "o", "type": "string", "value": "instead"}])
    final = events[-1]
    assert (final.status, final.exceptions_count) == ("partial-succeeded", 1), final.error
    (found,) = ended(events, "x")
    assert (found.status, found.metadata["error_strategy"]) == ("exception", "default-value")
    assert found.outputs == {"o": "instead", "error_message": found.error, "error_type": final.outputs["t"]}
    assert final.outputs["o"] == "instead"
    assert ended(events, "ok")[0].status == "succeeded"
    assert ended(events, "no") == []


@pytest.mark.parametrize("strategy", [None, "fail-branch", "default-value"])
@pytest.mark.parametrize("name", TYPES)
def test_retries_come_before_the_strategy(name, strategy):
    """Only the types that Dify tries again are; the others' settings say nothing."""
    events, _ = run(name, False, error_strategy=strategy, retry_config={
        "retry_enabled": True, "max_retries": 2, "retry_interval": 1})
    retries = [event for event in events if isinstance(event, ev.NodeRetry) and event.node_id == "x"]
    assert [event.retry_index for event in retries] == ([1, 2] if name in RETRIED else [])
    assert all(event.error for event in retries)
    assert len([event for event in events if isinstance(event, ev.NodeStarted) and event.node_id == "x"]) == 1
    (found,) = ended(events, "x")
    lost = strategy == "default-value" and name in BRANCHES
    assert found.status == ("exception" if strategy and not lost else "failed")
    if strategy is None:
        assert events[-1].status == "failed"
    elif lost:  # values in place of a branch's choose no way out
        assert (events[-1].status, events[-1].error) == ("failed", "Branch node x did not select any edge")
    else:
        assert events[-1].status == "partial-succeeded"
        assert events[-1].exceptions_count == (3 if name in RETRIED else 1)


def test_a_retry_that_works_is_a_partial_success():
    """The model fails once; what it was asked stays the same."""
    nodes, _, _ = parts(retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 1})["llm"]
    nodes[0]["data"]["prompt_template"][0]["text"] = "<<fail:1:k:server>>"
    events = play(graph([START, *nodes, end("ok", d=["s", "q"])], "s>x x>ok"), INPUTS)
    assert [event.retry_index for event in events if isinstance(event, ev.NodeRetry)] == [1]
    assert ended(events, "x")[0].status == "succeeded"
    assert (events[-1].status, events[-1].exceptions_count) == ("partial-succeeded", 1)
    assert events[-1].outputs == {"d": "question"}


@pytest.mark.parametrize("kind", ["iteration", "loop"])
def test_retries_inside_a_container_are_not_the_runs_own(kind):
    """A child that succeeds at its second try leaves the run a plain success, its failed try none of its steps."""
    place = {f"{kind}_id": "x"}
    outer = node("x", "iteration", iterator_selector=["s", "l"], output_selector=["c", "text"], start_node_id="xs") \
        if kind == "iteration" else node("x", "loop", loop_count=2, start_node_id="xs", loop_variables=[],
                                         break_conditions=[])
    child = llm("c", "<<fail:1:k:server>>", retry_config={"retry_enabled": True, "max_retries": 1,
                                                          "retry_interval": 1}, **place)
    flow = graph([START, outer, node("xs", f"{kind}-start", **place), child, end("ok", d=["s", "q"])],
                 "s>x xs>c x>ok")
    events = play(flow, INPUTS)
    assert [event.node_id for event in events if isinstance(event, ev.NodeRetry)] == ["c"]
    assert (events[-1].status, events[-1].exceptions_count, events[-1].total_steps) == ("succeeded", 0, 3)
