"""Corners of Dify's semantics that the recordings touch little: operators, types, containers, error types."""

from __future__ import annotations

import pytest

from sparrow.engine import events as ev
from sparrow.engine.agent.names import distinct
from sparrow.engine.conditions import ConditionError, compare
from sparrow.engine.files import File
from sparrow.engine.graph import GraphError
from sparrow.engine.nodes.http_request import is_file
from sparrow.engine.ports import HttpResponse, Ports
from sparrow.engine.texts import read_text
from tests.engine.flow import LocalCode, code, end, graph, node, play
from tests.fake_model import FakeModel

START = node("s", "start", variables=[])
PICTURE = File("image", "remote_url", filename="a.png", extension=".png", size=10, url="http://x/a.png",
               remote_url="http://x/a.png")
PAPER = File("document", "remote_url", filename="b.pdf", extension=".pdf", size=2000, url="http://x/b.pdf",
             remote_url="http://x/b.pdf")


def last(item, inputs=None, **options):
    """Run start → node; return the node's last event."""
    events = play(graph([START, item], f"s>{item['id']}"), inputs or {}, **options)
    return next(event for event in reversed(events) if isinstance(event, ev.NodeFinished)
                and event.node_id == item["id"])


def judge(value, operator, expected, sub=None):
    """Run an if-else node over one value; return its outcome, or its error."""
    condition = {"variable_selector": ["s", "v"], "comparison_operator": operator, "value": expected}
    if sub is not None:
        condition["sub_variable_condition"] = sub
    found = last(node("i", "if-else", cases=[{"case_id": "c", "logical_operator": "and", "conditions": [condition]}]),
                 {"v": value})
    return found.error or found.outputs["result"]


@pytest.mark.parametrize(("value", "operator", "expected", "outcome"), [
    (True, "is", "true", True), (True, "is not", "false", True), ([True, False], "contains", "false", True),
    (True, "is", "True", "Expecting value: line 1 column 1 (char 0)"),
    (True, "is", "[1]", "unexpected value: type=<class 'str'>, value=[1]"),
    ("b", "in", ["a", "b"], True), ("x", "not in", ["a", "b"], True), ("", "in", ["a"], False),
    ("{{#s.v#}}", "in", ["{{#s.v#}}"], True),  # the items of a list are no templates
    ([1, 2], "all of", [1], "all of operator expects homogeneous list of strings or booleans"),
    (None, "empty", "", True), (None, "is not", "x", False), (None, "≠", "1", False), (None, "null", "", True),
    (0, "empty", "", True), (0, "exists", "", True), ("", "exists", "", True), (None, "not exists", "", True),
    (5, "=", "5.0", "invalid literal for int() with base 10: '5.0'"), (5.0, "=", "5", True), (5, ">", "4.5", True),
    ({"a": 1}, "not empty", "", True), ({"a": 1}, "contains", "a", "Invalid actual value type: string or array"),
    (True, "≠", None, "Cannot convert <class 'NoneType'> to bool"),
    (5, "=", ["5"], "Cannot convert <class 'list'> to int"),
    ([], "empty", "", True), (["a"], "start with", "a", "Invalid actual value type: string"),
])
def test_conditions(value, operator, expected, outcome):
    assert judge(value, operator, expected) == outcome


@pytest.mark.parametrize(("rules", "join", "outcome"), [
    ([("type", "in", ["image"])], "and", True),
    ([("type", "not in", ["image"])], "and", False),  # "not" must hold for every file
    ([("extension", "is", "pdf")], "and", True), ([("extension", "is", ".docx")], "and", False),
    ([("size", ">", "1000"), ("name", "contains", "a")], "and", True),  # each rule may find another file
    ([("size", ">", "5000"), ("name", "is", "a.png")], "or", True),
    ([("colour", "is", "red")], "and", "'colour' is not a valid FileAttribute"),
    ([("extension", "in", ["pdf"])], "and",
     "Expected value must be a string when key is FileAttribute.EXTENSION"),
])
@pytest.mark.parametrize("outer", ["contains", "not contains", "all of"])
def test_conditions_on_the_attributes_of_files(rules, join, outcome, outer):
    sub = {"logical_operator": join, "conditions": [
        {"key": key, "comparison_operator": operator, "value": value} for key, operator, value in rules]}
    assert judge([PICTURE, PAPER], outer, None, sub) == outcome


def test_an_unknown_operator_is_refused_before_the_run():
    item = node("i", "if-else", cases=[{"case_id": "c", "logical_operator": "and", "conditions": [
        {"variable_selector": ["s", "v"], "comparison_operator": "looks like", "value": ""}]}])
    with pytest.raises(GraphError, match="Unsupported operator: looks like"):
        graph([START, item], "s>i")
    with pytest.raises(ConditionError):
        compare("looks like", 1, 1)


@pytest.mark.parametrize(("items", "settings", "outcome"), [
    ([PICTURE, PAPER], {"filter_by": ("type", "in", ["document"])}, ["b.pdf"]),
    ([PICTURE, PAPER], {"filter_by": ("size", "<", "100")}, ["a.png"]),
    ([PICTURE, PAPER], {"filter_by": ("url", "end with", "pdf")}, ["b.pdf"]),
    ([PICTURE, PAPER], {"filter_by": ("name", "in", ["a.png"])}, "Invalid key: name"),
    ([PICTURE, PAPER], {"filter_by": ("type", "is", "image")}, "Invalid condition: is"),
    ([PICTURE, PAPER], {"filter_by": ("name", "is", True)}, "File filter expects a string value, got <class 'bool'>"),
    ([PICTURE, PAPER], {"order_by": {"enabled": True, "key": "size", "value": "desc"}}, ["b.pdf", "a.png"]),
    ([PICTURE, PAPER], {"order_by": {"enabled": True, "key": "age"}}, "Invalid order key: age"),
    ([True, False], {"filter_by": ("", "is", True)}, [True]),
    ([True, False], {"filter_by": ("", "is", "true")}, "Boolean filter expects a boolean value, got <class 'str'>"),
    (["b", "a"], {"filter_by": ("", "in", "bcd")}, ["b"]), (["b", ""], {"filter_by": ("", "empty", "")}, [""]),
    (["b"], {"filter_by": ("", "in", ["b"])}, "Invalid filter value: ['b']"),
    ([1, 2], {"filter_by": ("", "contains", "1")}, "Invalid condition: contains"),
    ([1, 2], {"filter_by": ("", ">", "x")}, "could not convert string to float: 'x'"),
    ([1, 2, 3], {"limit": {"enabled": True}}, [1, 2]),
    ([1], {"extract_by": {"enabled": True, "serial": "0"}}, "Invalid serial index: must be >= 1, got 0"),
    ([1], {"extract_by": {"enabled": True, "serial": ""}}, "invalid literal for int() with base 10: ''"),
    ([True, False], {"filter_by": ("", "is", 1)}, [True]), (["1"], {"filter_by": ("", "is", 1)},
                                                            "Invalid filter value: True"),
    ([1, 2], {"filter_by": ("", "contains", "x")}, "could not convert string to float: 'x'"),
])
def test_list_operator(items, settings, outcome):
    if "filter_by" in settings:
        key, operator, value = settings["filter_by"]
        settings = {"filter_by": {"enabled": True, "conditions": [
            {"key": key, "comparison_operator": operator, "value": value}]}}
    found = last(node("l", "list-operator", variable=["s", "l"], **settings), {"l": items})
    result = found.error or [item["filename"] if isinstance(item, dict) else item for item in found.outputs["result"]]
    assert result == outcome


def assign(operation, input_type, value, present, kind, **more):
    """Run an assigner over one conversation variable; return its new value, or the error."""
    item = node("a", "assigner", version="2", items=[
        {"variable_selector": ["conversation", "x"], "operation": operation, "input_type": input_type, "value": value}])
    found = last(item, more.get("inputs"), mode="advanced-chat", conversation={"x": present},
                 conversation_types={"x": kind})
    return found.error or found.process_data.get("x", "unchanged")


@pytest.mark.parametrize(("operation", "input_type", "value", "present", "kind", "outcome"), [
    ("over-write", "constant", "b", "a", "string", "b"), ("set", "constant", '{"k": 1}', {}, "object", {"k": 1}),
    ("set", "constant", "no", {}, "object", "Invalid input value no"),
    ("set", "variable", ["s", "v"], "a", "string", "Input type variable is not supported for operation set"),
    ("clear", "constant", None, "a", "string", "Input type constant is not supported for operation clear"),
    ("append", "constant", "b", ["a"], "array[string]", "Input type constant is not supported for operation append"),
    ("append", "variable", ["s", "v"], ["a"], "array[string]", ["a", "v"]),
    ("append", "variable", ["s", "n"], ["a"], "array[string]", "Invalid input value 7"),
    ("extend", "variable", ["s", "l"], ["a"], "array[string]", ["a", "p", "q"]),
    ("append", "variable", ["s", "l"], ["a"], "array[any]", "Invalid input value ['p', 'q']"),
    ("extend", "variable", ["s", "l"], [1], "array[any]", [1, "p", "q"]),
    ("+=", "constant", 2, 1, "number", 3), ("/=", "constant", 0, 1, "number", "Invalid input value 0"),
    ("+=", "constant", True, 1, "number", 2), ("+=", "constant", "2", 1, "number", "Invalid input value 2"),
    ("*=", "constant", 2, "a", "string", "Operation *= is not supported for type string"),
    ("set", "constant", ["a"], [], "array[string]", "Operation set is not supported for type array[string]"),
    ("over-write", "variable", ["s", "none"], "a", "string", "unchanged"),
    ("over-write", "variable", ["s", "gone"], "a", "string", "Variable ['s', 'gone'] not found"),
    ("over-write", "variable", None, "a", "string", "Invalid input value None"),
    ("clear", "variable", None, True, "boolean", False), ("clear", "variable", None, 3, "number", 0),
    ("remove-first", "variable", None, [], "array[string]", []), ("remove-last", "variable", None, [1, 2],
                                                                  "array[number]", [1]),
])
def test_assigner(operation, input_type, value, present, kind, outcome):
    inputs = {"v": "v", "n": 7, "l": ["p", "q"], "none": None}
    assert assign(operation, input_type, value, present, kind, inputs=inputs) == outcome


@pytest.mark.parametrize(("mode", "source", "shown", "after"), [
    ("over-write", ["s", "none"], None, None), ("append", ["s", "v"], "v", ["a", "v"]), ("clear", [], [], []),
])
def test_the_first_assigner(mode, source, shown, after):
    item = node("a", "assigner", assigned_variable_selector=["conversation", "x"], write_mode=mode,
                input_variable_selector=source)
    found = last(item, {"v": "v", "none": None}, mode="advanced-chat", conversation={"x": ["a"]},
                 conversation_types={"x": "array[string]"})
    assert found.inputs == {"value": shown}
    assert found.process_data == {"__updated_variables": [
        {"name": "x", "selector": ["conversation", "x"], "value_type": "array[string]", "new_value": after}]}


def loop(**data):
    inner = code("c", "def main(n):\n    return {'o': 1 / (2 - n)}", {"o": "number"}, {"n": ["l", "n"]}, loop_id="l")
    more = {"type": "assigner", "version": "2", "items": [{"variable_selector": ["l", "n"], "operation": "+=",
                                                           "input_type": "constant", "value": 1}]}
    nodes = [START, node("l", "loop", start_node_id="lstart", **data), node("lstart", "loop-start", loop_id="l"), inner,
             {"id": "a", "type": "custom", "data": {"title": "a", "loop_id": "l", **more}}, end("e", r=["l", "n"])]
    return play(graph(nodes, "s>l lstart>c c>a l>e"), ports=Ports(models=FakeModel(), code=LocalCode()))


def test_a_failing_round_of_a_loop_is_not_counted_among_the_rounds():
    events = loop(loop_count=5, loop_variables=[{"label": "n", "var_type": "number", "value_type": "constant",
                                                 "value": "1"}])
    done = next(event for event in events if isinstance(event, ev.LoopCompleted))
    assert (done.status, done.metadata["completed_reason"]) == ("failed", "error")
    assert done.metadata["loop_variable_map"] == {"0": {"n": 2}}
    assert events[-1].status == "failed"


def test_a_loop_end_is_no_break_for_the_reason():
    nodes = [START, node("l", "loop", start_node_id="b", loop_count=3), node("b", "loop-start", loop_id="l"),
             node("x", "loop-end", loop_id="l"), end("e", r=["l", "loop_round"])]
    events = play(graph(nodes, "s>l b>x l>e"))
    done = next(event for event in events if isinstance(event, ev.LoopCompleted))
    assert (done.metadata["completed_reason"], done.outputs) == ("loop_completed", {"loop_round": 1})


@pytest.mark.parametrize(("kind", "value", "outcome"), [
    ("array[string]", '["a"]', ["a"]), ("array[string]", "", []), ("object", '{"a": 1}', {"a": 1}),
    ("boolean", "true", True),
    ("number", "2.5", 2.5), ("number", "abc", "Type mismatch: expected number, but got string, value=abc"),
    ("string", "12", "12"), ("array[number]", None, []), ("array[string]", ["a"], ["a"]),
    ("number", None, "Type mismatch: expected number, but got None"),
    ("object", "", "Type mismatch: expected object, but got string, value="),
    ("array[number]", '["a"]', "Type mismatch: expected array[number], but got array[string], value=['a']"),
])
def test_constants_of_loops(kind, value, outcome):
    nodes = [START, node("l", "loop", start_node_id="b", loop_count=1, loop_variables=[
        {"label": "v", "var_type": kind, "value_type": "constant", "value": value}]),
        node("b", "loop-start", loop_id="l"), end("e", r=["l", "v"])]
    final = play(graph(nodes, "s>l l>e"))[-1]
    assert (final.error or final.outputs["r"]) == outcome


@pytest.mark.parametrize(("parallel", "mode", "outcome"), [
    (False, "continue-on-error", [1.0, None, None]), (True, "continue-on-error", [1.0, None, None]),
    (False, "remove-abnormal-output", [1.0, None]), (True, "remove-abnormal-output", [1.0]),
])
def test_items_that_fail_and_items_that_give_null(parallel, mode, outcome):
    source = "def main(n):\n    return {'o': None if n == 9 else 1 / n}"
    nodes = [START, node("t", "iteration", iterator_selector=["s", "l"], output_selector=["c", "o"],
                         start_node_id="b", is_parallel=parallel, parallel_nums=1, error_handle_mode=mode),
             node("b", "iteration-start", iteration_id="t"),
             code("c", source, {"o": "number"}, {"n": ["t", "item"]}, iteration_id="t"), end("e", r=["t", "output"])]
    final = play(graph(nodes, "s>t b>c t>e"), {"l": [1, 0, 9]})[-1]
    assert final.outputs["r"] == outcome


@pytest.mark.parametrize(("status", "strategy", "outcome"), [
    (404, None, "succeeded"), (500, None, ("Reached maximum retries for URL http://x/", "HttpRequestNodeError")),
    (404, "fail-branch", ("Request failed with status code 404", "HTTPResponseCodeError")),
    (503, "default-value", ("Reached maximum retries for URL http://x/", "HttpRequestNodeError")),
])
def test_statuses_of_http(status, strategy, outcome):
    class Web:
        def request(self, request, cancel):
            return HttpResponse(status, {"content-type": "text/plain"}, b"x", request.url)

    item = node("h", "http-request", method="get", url="http://x/", error_strategy=strategy)
    found = last(item, ports=Ports(http=Web()))
    if outcome == "succeeded":
        assert found.status == outcome
    elif strategy is None:
        assert (found.status, found.error, found.error_type) == ("failed", *outcome)
    else:
        assert (found.outputs["error_message"], found.outputs["error_type"]) == outcome


@pytest.mark.parametrize(("kind", "disposition", "content", "outcome"), [
    ("image/png", "", b"\x89PNG", True), ("text/csv", "", b"a,b", False), ("application/json", "", b"{}", False),
    ("application/pdf", "", b"%PDF-1.4 \xff", True), ("application/pdf", "", b"<html>", False),
    ("application/x-unknown", "", b"\xff", False), ("", "", b"x", False), ("text/plain", "attachment", b"x", True),
    ("text/plain", 'inline; filename="a.txt"', b"x", True), ("application/vnd.api+json", "", b"{}", False),
])
def test_which_replies_are_files(kind, disposition, content, outcome):
    assert is_file(kind, disposition, content) is outcome


@pytest.mark.parametrize("items", [
    [{"key": "n", "type": "number", "value": "x"}], [{"key": "o", "type": "object", "value": "[1]"}],
    [{"key": "a", "type": "array[string]", "value": "[1]"}],
])
def test_a_default_value_of_another_type_is_refused(items):
    item = code("c", "def main():\n    return {}", {}, error_strategy="default-value", default_value=items)
    with pytest.raises(GraphError, match=r"default value of \w is not valid for"):
        graph([START, item], "s>c")


@pytest.mark.parametrize(("name", "content", "text"), [
    ("a.yaml", b"b: 1   # note\na: [1, 2]\n", "b: 1\na:\n- 1\n- 2\n"),
    ("a.properties", b"a=1\n# c\nb: 2\n", "a: 1\n# c\nb: 2"),
    ("a.csv", b'k,v\n"x\ny",1\n', "| k | v |\n| - | - |\n| x y | 1 |\n"),
    ("wide.txt", "Grüße".encode("utf-16"), "Grüße"), ("old.txt", "你好，世界".encode("gbk"), "你好，世界"),
])
def test_texts(name, content, text):
    class Files:
        def read(self, file):
            return content

    assert read_text(File("document", "local_file", name, f".{name.rpartition('.')[2]}"), Files()) == text


def test_two_tools_of_one_name():
    assert distinct("search", "a/b", {}) == "search"
    assert distinct("search", "acme/web tools", {"search"}) == "web_tools_search"
    assert distinct("search", "b", {"search", "b_search"}) == "b_search_2"
    assert len(distinct("x" * 64, "owner", {"x" * 64})) == 64
