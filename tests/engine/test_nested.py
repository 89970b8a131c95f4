"""Answers inside and after containers within containers: in which order their text comes, and when."""

from __future__ import annotations

import pytest

from sparrow.engine import events as ev
from tests.engine.flow import end, graph, llm, node, play, text_of

START = node("s", "start", variables=[])
KEY = {"iteration": "iteration_id", "loop": "loop_id"}
LOOP = {"loop_count": 2, "loop_variables": [], "break_conditions": []}
INNER, WHOLE = "[w1 w2][w1 w2]|", "[w1 w2][w1 w2]|[w1 w2][w1 w2]|end w1 w2 w3"


def items(wanted: str, **data) -> dict:
    return {"iterator_selector": ["s", "l"], "output_selector": [wanted, "text"], **data}


def nested(outer: str, inner: str, **data):
    """A container in a container, an answer at each depth and behind; the first and the last stream a model."""
    given = {"iteration": items("k"), "loop": LOOP}
    return graph([
        START, node("o", outer, start_node_id="os", **given[outer], **data),
        node("os", f"{outer}-start", **{KEY[outer]: "o"}),
        node("n", inner, start_node_id="ns", **{KEY[outer]: "o"}, **given[inner]),
        node("ns", f"{inner}-start", **{KEY[inner]: "n"}),
        llm("m", "<<tokens:2>>", **{KEY[inner]: "n"}),
        node("a", "answer", answer="[{{#m.text#}}]", **{KEY[inner]: "n"}),
        node("b", "answer", answer="|", **{KEY[outer]: "o"}),
        llm("k", "<<tokens:3>>"), node("z", "answer", answer="end {{#k.text#}}")],
        "s>o os>n ns>m m>a n>b o>k k>z")


@pytest.mark.parametrize("outer", KEY)
@pytest.mark.parametrize("inner", KEY)
def test_text_comes_in_the_order_of_the_rounds_while_the_models_write(outer, inner):
    events = play(nested(outer, inner), {"l": [1, 2]})
    assert events[-1].status == "succeeded"
    assert text_of(events) == events[-1].answer == WHOLE
    # Each model's words come before its node has ended, and those of one round before the next.
    order = [(event.node_id, "end") if isinstance(event, ev.NodeFinished) else (event.selector[0], event.text)
             for event in events if (isinstance(event, ev.NodeFinished) and event.node_id in "mk")
             or (isinstance(event, ev.TextChunk) and event.text.startswith("w"))]
    assert order == [("m", "w1 "), ("m", "w2"), ("m", "end")] * 4 + [
        ("k", "w1 "), ("k", "w2 "), ("k", "w3"), ("k", "end")]
    # An iteration keeps the answers inside from the run's outputs, a loop does not (dify-observed, 13).
    assert events[-1].outputs["answer"] == {
        ("loop", "loop"): WHOLE, ("loop", "iteration"): "||end w1 w2 w3"}.get((outer, inner), "end w1 w2 w3")


@pytest.mark.parametrize("inner", KEY)
def test_text_of_items_side_by_side_is_not_mixed(inner):
    events = play(nested("iteration", inner, is_parallel=True, parallel_nums=2), {"l": [1, 2]})
    assert text_of(events) == INNER * 2 + "end w1 w2 w3"


def test_an_answer_before_a_container_is_not_held_up_and_one_behind_waits():
    flow = graph([
        START, llm("f", "<<tokens:1>>"), node("y", "answer", answer="first {{#f.text#}};"),
        node("o", "loop", start_node_id="os", **LOOP), node("os", "loop-start", loop_id="o"),
        llm("m", "<<tokens:1>><<first:20>>", loop_id="o"), node("a", "answer", answer="({{#m.text#}})", loop_id="o"),
        node("z", "answer", answer="last {{#s.q#}}"), end("e")], "s>f f>y y>o os>m m>a o>z z>e")
    events = play(flow, {"q": "word"})
    assert text_of(events) == "first w1;(w1)(w1)last word"
    first = next(at for at, event in enumerate(events) if isinstance(event, ev.TextChunk) and event.text == ";")
    began = next(at for at, event in enumerate(events) if isinstance(event, ev.LoopStarted))
    over = next(at for at, event in enumerate(events) if isinstance(event, ev.LoopCompleted))
    last = next(at for at, event in enumerate(events) if isinstance(event, ev.TextChunk) and event.text == "last ")
    assert first < began < over
    assert last > max(at for at, event in enumerate(events) if isinstance(event, ev.TextChunk) and event.text == ")")
