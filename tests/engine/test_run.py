"""Runs: branches, joins, errors, containers, streaming, stopping, pausing."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
import time

import pytest

from sparrow.engine import events as ev
from sparrow.engine.graph import GraphError
from sparrow.engine.ports import Cancel, Form, FormResult, PortError, Ports
from sparrow.engine.run import resume, run
from sparrow.messages import Chunk
from tests.engine.flow import SYSTEM, LocalCode, code, end, graph, llm, node, play, text_of
from tests.fake_model import FakeModel

START = node("s", "start", variables=[])
BRANCH = node("b", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [
    {"variable_selector": ["s", "q"], "comparison_operator": "is", "value": "a"}]}])


def template(identity, text="x"):
    return node(identity, "template-transform", template=text, variables=[])


def test_llm_streams_before_its_end_and_the_answer_comes_whole():
    flow = graph([START, llm("m", "hi {{#s.q#}}"), node("a", "answer", answer="[{{#m.text#}}]")], "s>m m>a")
    events = play(flow, {"q": "you"}, mode="advanced-chat")
    assert text_of(events) == "[echo: hi you]"
    kinds = [type(event) for event in events]
    finished = next(index for index, event in enumerate(events)
                    if isinstance(event, ev.NodeFinished) and event.node_id == "m")
    assert kinds.index(ev.TextChunk) < finished
    assert events[-1].status == "succeeded"
    assert events[-1].outputs["answer"] == events[-1].answer == "[echo: hi you]"
    assert events[-1].usage["total_tokens"] == events[-1].total_tokens > 0


@pytest.mark.parametrize(("query", "expected"), [("a", "T"), ("z", "F")])
def test_a_join_ignores_the_dead_branch(query, expected):
    flow = graph([START, BRANCH, template("t", "T"), template("f", "F"),
                  node("j", "variable-aggregator", variables=[["t", "output"], ["f", "output"]]),
                  end("e", r=["j", "output"])], "s>b b[true]>t b[false]>f t>j f>j j>e")
    assert play(flow, {"q": query})[-1].outputs == {"r": expected}


def test_two_branches_run_at_the_same_time():
    together = threading.Barrier(2, timeout=5)

    class Meet(LocalCode):
        def run(self, *args):
            together.wait()
            return {}

    flow = graph([START, code("x", "", {}), code("y", "", {}), end("e")], "s>x s>y x>e y>e")
    assert play(flow, ports=Ports(code=Meet()))[-1].status == "succeeded"


def test_error_strategies():
    bad = "def main():\n    raise ValueError('boom')"
    flow = graph([START, code("c", bad, {"r": "string"}, error_strategy="fail-branch"), end("ok", r=["c", "r"]),
                  end("no", m=["c", "error_message"], t=["c", "error_type"])], "s>c c>ok c[fail-branch]>no")
    last = play(flow)[-1]
    assert (last.status, last.exceptions_count) == ("partial-succeeded", 1)
    assert last.outputs["t"] == "CodeExecutionError"
    assert "boom" in last.outputs["m"]
    flow = graph([START, code("c", bad, {"r": "number"}, error_strategy="default-value",
                              default_value=[{"key": "r", "type": "number", "value": "5"}]), end("e", r=["c", "r"])],
                 "s>c c>e")
    assert play(flow)[-1].outputs == {"r": 5}
    flow = graph([START, code("c", bad, {}), end("e")], "s>c c>e")
    last = play(flow)[-1]
    assert (last.status, last.error_type) == ("failed", "CodeExecutionError")


def test_retries_are_counted():
    flow = graph([START, llm("m", "x <<fail:2:k:server>>", retry_config={
        "retry_enabled": True, "max_retries": 3, "retry_interval": 1}), end("e", t=["m", "text"])], "s>m m>e")
    events = play(flow)
    assert [event.retry_index for event in events if isinstance(event, ev.NodeRetry)] == [1, 2]
    last = events[-1]
    assert (last.status, last.total_steps, last.exceptions_count) == ("partial-succeeded", 5, 2)


def iteration(**data):
    return [START, node("i", "iteration", iterator_selector=["s", "l"], output_selector=["c", "o"],
                        start_node_id="is", **data),
            node("is", "iteration-start", iteration_id="i"),
            code("c", "def main(x):\n    if x == 0: raise ValueError('zero')\n    return {'o': x * 2}", {"o": "number"},
                 {"x": ["i", "item"]}, iteration_id="i"), end("e", r=["i", "output"])]


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(("mode", "expected"), [
    ("continue-on-error", [2, None, 6]), ("remove-abnormal-output", [2, 6]), ("terminated", None)])
def test_iteration_meets_errors(parallel, mode, expected):
    flow = graph(iteration(error_handle_mode=mode, is_parallel=parallel), "s>i is>c i>e")
    last = play(flow, {"l": [1, 0, 3]})[-1]
    if expected is None:
        assert last.status == "failed"
    else:
        assert last.outputs == {"r": expected}


def test_iteration_without_a_start_child_runs():
    nodes = [item for item in iteration() if item["id"] != "is"]
    assert play(graph(nodes, "s>i i>e"), {"l": [1, 2]})[-1].outputs == {"r": [2, 4]}


def test_loop_counts_and_breaks():
    body = [START, node("l", "loop", loop_count=5, start_node_id="ls", loop_variables=[
        {"label": "n", "var_type": "number", "value_type": "constant", "value": 0}], break_conditions=[
        {"variable_selector": ["l", "n"], "comparison_operator": "≥", "value": "3"}]),
        node("ls", "loop-start", loop_id="l"),
        node("p", "assigner", version="2", loop_id="l", items=[
            {"variable_selector": ["l", "n"], "input_type": "constant", "operation": "+=", "value": 1}]),
        end("e", n=["l", "n"], rounds=["l", "loop_round"])]
    events = play(graph(body, "s>l ls>p l>e"))
    assert events[-1].outputs == {"n": 3, "rounds": 3}
    done = next(event for event in events if isinstance(event, ev.LoopCompleted))
    assert done.metadata["completed_reason"] == "loop_break"


def test_conversation_variables_are_saved():
    saved = []

    class Keep:
        def save(self, name, value):
            saved.append((name, value))

    flow = graph([START, node("p", "assigner", version="2", items=[
        {"variable_selector": ["conversation", "n"], "input_type": "constant", "operation": "+=", "value": 2}]),
        node("a", "answer", answer="n={{#conversation.n#}}")], "s>p p>a")
    events = play(flow, mode="advanced-chat", ports=Ports(conversation=Keep()), conversation={"n": 1},
                  conversation_types={"n": "number"})
    assert saved == [("n", 3)]
    assert text_of(events) == "n=3"


def test_stop_ends_the_run_soon():
    cancel = Cancel()
    flow = graph([START, llm("m", "<<tokens:2000>> <<slow:20>>"), end("e", t=["m", "text"])], "s>m m>e")
    threading.Timer(0.15, cancel.cancel).start()
    begun = time.monotonic()
    last = play(flow, cancel=cancel)[-1]
    assert last.status == "stopped"
    assert last.error == "Stopped by user."
    assert time.monotonic() - begun < 10  # of 40 s


def test_unknown_types_loose_edges_and_models_are_refused():
    with pytest.raises(GraphError, match="No class mapping found for node type: quantum"):
        graph([START, node("x", "quantum")], "s>x")
    with pytest.raises(GraphError, match="unknown node"):
        graph([START], "s>gone")
    with pytest.raises(GraphError, match="does not exist"):
        play(graph([START, llm("m", "x", model="nope")], "s>m"))


class Desk:
    """Hands out forms."""

    def __init__(self):
        self.asked = []

    def create(self, request):
        self.asked.append(request)
        return Form(f"form{len(self.asked)}", "token")


def form(**data):
    return node("h", "human-input", form_content="Check {{#s.q#}} {{#$output.note#}}",
                inputs=[{"type": "text_input", "output_variable_name": "note"}],
                user_actions=[{"id": "ok", "title": "OK"}, {"id": "no", "title": "No"}], **data)


def go_on(flow, paused, **results):
    assert json.loads(paused.state)
    ports = Ports(models=FakeModel(), code=LocalCode(), forms=Desk())
    return list(resume(flow, paused.state, ports, forms=results))


def test_a_paused_run_goes_on_from_its_saved_state():
    flow = graph([START, template("t", "before"), form(), end("y", n=["h", "note"], c=["h", "__rendered_content"],
                                                             t=["t", "output"]), end("z", no=["h", "note"])],
                 "s>t t>h h[ok]>y h[no]>z")
    events = play(flow, {"q": "x"}, ports=Ports(forms=Desk()))
    paused = events[-1]
    assert isinstance(paused, ev.RunPaused)
    assert any(isinstance(event, ev.HumanInputRequired) for event in events)
    again = go_on(flow, paused)
    assert isinstance(again[-1], ev.RunPaused)
    done = go_on(flow, again[-1], form1=FormResult("submitted", "ok", {"note": "fine"}))
    assert done[0].reason == "resumption"
    assert done[-1].outputs == {"n": "fine", "c": "Check x fine", "t": "before"}
    late = go_on(flow, paused, form1=FormResult("timeout"))
    assert late[-1].status == "succeeded"
    assert late[-1].outputs == {}


def test_a_slot_of_no_field_stays_in_a_forms_text():
    asked = form()
    asked["data"]["form_content"] = "{{#$output.note#}} {{#$output.other#}}"
    flow = graph([START, asked, end("y", c=["h", "__rendered_content"])], "s>h h[ok]>y")
    paused = play(flow, {"q": "x"}, ports=Ports(forms=Desk()))[-1]
    done = go_on(flow, paused, form1=FormResult("submitted", "ok", {"note": "fine", "other": "extra"}))
    assert done[-1].outputs == {"c": "fine {{#$output.other#}}"}


def test_a_pause_inside_a_loop_and_an_iteration():
    flow = graph([START, node("i", "iteration", iterator_selector=["s", "l"], output_selector=["h", "note"],
                              start_node_id="is"), node("is", "iteration-start", iteration_id="i"),
                  form(iteration_id="i"), end("e", r=["i", "output"])], "s>i is>h i>e")
    paused = play(flow, {"q": "x", "l": [1, 2]}, ports=Ports(forms=Desk()))[-1]
    second = go_on(flow, paused, form1=FormResult("submitted", "ok", {"note": "one"}))
    assert isinstance(second[-1], ev.RunPaused)
    form_id = second[-1].reasons[0]["form_id"]
    done = go_on(flow, second[-1], **{form_id: FormResult("submitted", "ok", {"note": "two"})})
    assert done[-1].outputs == {"r": ["one", "two"]}


def test_secrets_are_masked_in_what_is_recorded():
    flow = graph([START, code("c", "def main(k):\n    return {'o': k}", {"o": "string"}, {"k": ["env", "key"]})],
                 "s>c")
    events = play(flow, environment={"key": "top-secret"}, secrets=["top-secret"])
    assert "top-secret" not in repr([event for event in events if isinstance(event, ev.NodeFinished)])


def test_closing_the_iterator_ends_the_run():
    flow = graph([START, llm("m", "<<tokens:2000>> <<slow:20>>"), end("e", t=["m", "text"])], "s>m m>e")
    events = run(flow, {}, Ports(models=FakeModel()), system=SYSTEM)
    for event in events:
        if isinstance(event, ev.TextChunk):
            break
    begun = time.monotonic()
    events.close()
    assert time.monotonic() - begun < 10  # of 40 s


def test_a_container_with_a_fail_branch_takes_one_way():
    def flow(items):
        return graph([START, node("i", "iteration", iterator_selector=["s", "l"], output_selector=["c", "r"],
                                  error_strategy="fail-branch"),
                      code("c", "def main(x):\n    return {'r': 1 // x}", {"r": "number"}, {"x": ["i", "item"]},
                           iteration_id="i"),
                      end("ok", r=["i", "output"]), end("no", m=["i", "error_message"])],
                     "s>i i>ok i[fail-branch]>no")
    assert play(flow([]), {"l": [1]})[-1].outputs == {"r": [1]}
    last = play(flow([]), {"l": [0]})[-1]
    assert (last.status, list(last.outputs)) == ("partial-succeeded", ["m"])


def test_a_retrieval_does_not_hold_up_a_stop():
    cancel, begun, ended = Cancel(), threading.Event(), threading.Event()

    class Slow:
        def retrieve(self, request, cancel):
            begun.set()
            ended.wait(20)
            return []

    def stop():
        begun.wait(10)
        cancel.cancel()

    flow = graph([node("start", "start", variables=[]),
                  node("find", "knowledge-retrieval", query_variable_selector=["sys", "query"], dataset_ids=["d"]),
                  end("end", found=["find", "result"])], "start>find find>end")
    threading.Thread(target=stop).start()
    events = play(flow, system={"query": "pumps"}, cancel=cancel, ports=Ports(knowledge=Slow()))
    assert not ended.is_set()
    ended.set()
    assert (events[-1].status, events[-1].error) == ("stopped", "Stopped by user.")
    assert not any(isinstance(event, ev.NodeFinished) and event.node_id == "find" and event.status == "succeeded"
                   for event in events)


def test_a_retrieval_fails_with_its_own_error():
    class Broken:
        def retrieve(self, request, cancel):
            raise PortError("the base is gone", "NotFound")

    flow = graph([node("start", "start", variables=[]),
                  node("find", "knowledge-retrieval", query_variable_selector=["sys", "query"], dataset_ids=["d"]),
                  end("end", found=["find", "result"])], "start>find find>end")
    last = play(flow, system={"query": "pumps"}, ports=Ports(knowledge=Broken()))[-1]
    assert (last.status, last.error) == ("failed", "the base is gone")


def test_a_stopped_reply_does_not_pass_for_a_whole_one():
    cancel, begun = Cancel(), threading.Event()

    class Aborted:
        """A reply that just ends when it is aborted."""

        def __init__(self):
            self.ended = threading.Event()

        def __iter__(self):
            return self

        def __next__(self):
            if not begun.is_set():
                begun.set()
                return Chunk(text="some")
            self.ended.wait(5)
            raise StopIteration

        def abort(self):
            self.ended.set()

    class Model(FakeModel):
        def chat(self, *args, **options):
            return Aborted()

    flow = graph([START, llm("m", "x"), node("a", "answer", answer="{{#m.text#}}")], "s>m m>a")
    threading.Timer(0.2, cancel.cancel).start()
    events = play(flow, mode="advanced-chat", cancel=cancel, ports=Ports(models=Model()))
    assert text_of(events) == "some"
    assert [event.node_id for event in events if isinstance(event, ev.NodeFinished) and not event.silent] == ["s"]
    assert events[-1].status == "stopped"


def test_items_that_nobody_waits_for_are_stopped():
    stopped = threading.Event()

    class Runner(LocalCode):
        def run(self, language, source, inputs, limits, cancel):
            if source == "after":
                return {"seen": stopped.wait(3)}
            if inputs["x"] == 0:
                raise ValueError("boom")
            if cancel.wait(3):
                stopped.set()
            return {"r": 1}

    flow = graph([START, node("i", "iteration", iterator_selector=["s", "l"], output_selector=["c", "r"],
                              is_parallel=True, parallel_nums=2, error_strategy="fail-branch"),
                  code("c", "", {"r": "number"}, {"x": ["i", "item"]}, iteration_id="i"),
                  code("a", "after", {"seen": "boolean"}), end("e", seen=["a", "seen"])],
                 "s>i i[fail-branch]>a a>e")
    assert play(flow, {"l": [1, 0]}, ports=Ports(code=Runner()))[-1].outputs == {"seen": True}


def test_a_long_iteration_leaves_nothing_behind():
    flow = graph([START, node("i", "iteration", iterator_selector=["s", "l"], output_selector=["c", "output"]),
                  node("c", "template-transform", template="x", variables=[], iteration_id="i"), end("e")], "s>i i>e")
    alive = []
    for event in run(flow, {"l": list(range(50))}, Ports(), system=SYSTEM):
        if isinstance(event, ev.IterationNext):
            alive.append(sum(isinstance(one, Cancel) for one in gc.get_objects()))
    assert alive[-1] <= alive[3]


def test_half_a_character_harms_no_run():
    """JavaScript that cuts a text in the middle of an emoji returns a lone surrogate, which UTF-8 cannot carry."""
    half = "'\\ud83d'"
    flow = graph([START, code("c", f"def main():\n    return {{'o': {half}, 'p': {{'k' + {half}: [{half}]}}}}",
                              {"o": "string", "p": "object"}),
                  code("f", f"def main():\n    raise ValueError({half})", {}, error_strategy="fail-branch"),
                  llm("m", "<<say:{\"v\": \"\\ud83d\"}>>", structured_output_enabled=True,
                      structured_output={"schema": {"type": "object"}}),
                  end("e", o=["c", "o"], p=["c", "p"], f=["f", "error_message"], m=["m", "structured_output"])],
                 "s>c c>f f[fail-branch]>m m>e")
    events = play(flow)
    assert json.dumps([dataclasses.asdict(event) for event in events], ensure_ascii=False, default=str).encode()
    assert events[-1].outputs["o"] == "\ufffd"
    assert events[-1].outputs["p"] == {"k\ufffd": ["\ufffd"]}
    assert events[-1].outputs["m"] == {"v": "\ufffd"}
