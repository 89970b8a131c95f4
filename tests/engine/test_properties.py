"""Generated graphs: every run ends, no node runs twice, a join never waits for a dead branch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sparrow.engine import events as ev
from tests.engine.flow import graph, node, play


@st.composite
def flows(draw):
    """Return (nodes, edges, branch choices) of an acyclic graph whose nodes 0… hang on the start node."""
    size = draw(st.integers(1, 12))
    nodes = [node("s", "start", variables=[])]
    edges: set[tuple[str, str, str]] = set()
    kinds = {"s": "start"}
    for index in range(size):
        name = f"n{index}"
        kind = draw(st.sampled_from(["template-transform", "if-else", "variable-aggregator", "answer"]))
        kinds[name] = kind
        if kind == "if-else":
            nodes.append(node(name, kind, cases=[{"case_id": "true", "logical_operator": "and", "conditions": [
                {"variable_selector": ["s", "q"], "comparison_operator": "is",
                 "value": draw(st.sampled_from(["yes", "no"]))}]}]))
        elif kind == "answer":
            other = draw(st.integers(0, size - 1))
            nodes.append(node(name, kind, answer=f"{name}:{{{{#n{other}.output#}}}};"))
        elif kind == "variable-aggregator":
            nodes.append(node(name, kind, variables=[[f"n{other}", "output"] for other in range(index)]))
        else:
            nodes.append(node(name, kind, template=name, variables=[]))
        before = ["s", *(f"n{other}" for other in range(index))]
        for source in draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True)):
            handle = draw(st.sampled_from(["true", "false"])) if kinds[source] == "if-else" else "source"
            edges.add((source, handle, name))
    return nodes, sorted(edges)


def alive(nodes, edges, query):
    """Return the nodes that must run, worked out without the engine: those some taken edge leads to."""
    data = {item["id"]: item["data"] for item in nodes}
    running = {"s"}
    for item in nodes[1:]:
        for source, handle, target in edges:
            if target != item["id"] or source not in running:
                continue
            if data[source]["type"] == "if-else":
                wanted = data[source]["cases"][0]["conditions"][0]["value"] == query
                if (handle == "true") != wanted:
                    continue
            running.add(target)
    return running


@settings(max_examples=150, deadline=None)
@given(flows(), st.sampled_from(["yes", "no"]))
def test_generated_graphs(flow, query):
    nodes, edges = flow
    parsed = graph(nodes, " ".join(f"{source}[{handle}]>{target}" for source, handle, target in edges))
    events = play(parsed, {"q": query}, mode="advanced-chat")
    started = Counter(event.node_id for event in events if isinstance(event, ev.NodeStarted))
    finished = Counter(event.node_id for event in events if isinstance(event, ev.NodeFinished))
    assert isinstance(events[-1], ev.RunFinished)
    assert events[-1].status == "succeeded"
    assert started == finished
    assert max(started.values()) == 1
    assert set(started) == alive(nodes, edges, query)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=12), st.booleans(),
       st.sampled_from(["terminated", "continue-on-error", "remove-abnormal-output"]))
def test_generated_iterations(items, parallel, mode):
    from tests.engine.test_run import iteration

    flow = graph(iteration(error_handle_mode=mode, is_parallel=parallel, parallel_nums=3), "s>i is>c i>e")
    last = play(flow, {"l": items})[-1]
    if mode == "terminated" and 0 in items:
        assert last.status == "failed"
        return
    doubled = [item * 2 if item else None for item in items]
    if mode == "remove-abnormal-output":
        doubled = [item for item in doubled if item is not None]
    assert last.outputs == {"r": doubled}
