"""Single nodes: what they make of their inputs."""

from __future__ import annotations

import re
import time

import pytest

from sparrow.engine import events as ev
from sparrow.engine import jinja, jsonrepair, prompts
from sparrow.engine.conditions import ConditionError, compare
from sparrow.engine.files import File
from sparrow.engine.ports import HttpResponse, Ports, ToolInfo, ToolMessage, Turn
from sparrow.messages import ModelInfo, ModelRef, ToolSpec
from tests.engine.flow import LocalCode, code, end, graph, llm, node, play, text_of
from tests.fake_model import FakeModel

START = node("s", "start", variables=[])


def one(item, inputs=None, **options):
    """Run start → node; return the node's last event."""
    events = play(graph([START, item], f"s>{item['id']}"), inputs or {}, **options)
    return next(event for event in reversed(events) if isinstance(event, ev.NodeFinished)
                and event.node_id == item["id"])


@pytest.mark.parametrize(("kind", "value", "error"), [
    ("string", 5, "Output o must be a string, got int instead."),
    ("number", "x", "Output o is not a number, got <class 'str'> instead."),
    ("array[string]", ["x"] * 31, "The length of output variable `o` must be less than 30 elements."),
    ("object", {"m": [1, "a"]}, "Output o.m is not a valid array. make sure all elements are of the same type."),
])
def test_code_outputs_are_checked(kind, value, error):
    assert one(code("c", f"def main():\n    return {{'o': {value!r}}}", {"o": kind})).error == error


def test_code_refuses_undeclared_outputs():
    found = one(code("c", "def main():\n    return {'o': 1, 'x': 2}", {"o": "number"}))
    assert found.error == "Not all output parameters are validated."


@pytest.mark.parametrize(("settings", "expected"), [
    ({"order_by": {"enabled": True, "value": "desc"}}, [3, 2, 1]),
    ({"extract_by": {"enabled": True, "serial": "2"}}, [1]),
    ({"filter_by": {"enabled": True, "conditions": [{"comparison_operator": ">", "value": "1"}]}}, [3, 2]),
    ({"limit": {"enabled": True, "size": 1}}, [3]),
])
def test_list_operator(settings, expected):
    found = one(node("l", "list-operator", variable=["s", "l"], **settings), {"l": [3, 1, 2]})
    assert found.outputs["result"] == expected


def test_structured_output_is_repaired_and_reasoning_set_apart():
    item = llm("m", "<<say:sure {'a': 1,}>><<think:hm>>", reasoning_format="separated", structured_output_enabled=True,
               structured_output={"schema": {"type": "object"}})
    found = one(item)
    assert found.outputs["structured_output"] == {"a": 1}
    assert found.outputs["reasoning_content"] == "hm"
    assert "think" not in found.outputs["text"]


def test_a_missing_variable_fails_the_prompt():
    found = one(llm("m", "{{#x.gone#}}"))
    assert (found.status, found.error_type) == ("failed", "VariableNotFoundError")


@pytest.mark.parametrize(("size", "kept"), [(1, 0), (2, 1), (3, 2)])
def test_a_memory_window_keeps_one_turn_less(size, kept):
    class Past:
        def turns(self, limit):
            return [Turn(f"q{index}", f"a{index}") for index in range(9)][9 - limit:]

    model = FakeModel()
    item = llm("m", "sys", memory={"window": {"enabled": True, "size": size}})
    one(item, ports=Ports(models=model, memory=Past()), system={"query": "now"})
    assert len(model.calls[0]["messages"]) == 2 + 2 * kept
    assert model.calls[0]["messages"][-1] == ("user", "now")


def test_http_logs_the_request_without_its_key():
    class Web:
        def request(self, request, cancel):
            self.seen = request
            return HttpResponse(200, {"content-type": "application/json"}, b'{"ok":1}', request.url)

    web = Web()
    item = node("h", "http-request", method="POST", url="http://x/y?z=1", headers="", params="a:1\na:2",
                authorization={"type": "api-key", "config": {"type": "bearer", "api_key": "secret"}},
                body={"type": "json", "data": [{"type": "text", "value": "{'q': word,}"}]})
    found = one(item, ports=Ports(http=web))
    assert web.seen.url == "http://x/y"  # the node's parameters replace a query that the URL has
    assert found.outputs["body"] == '{"ok":1}'
    assert "secret" not in found.process_data["request"]
    assert ("Authorization", "Bearer secret") in web.seen.headers
    assert web.seen.body == b'{"q":"word"}'
    assert web.seen.params == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize("text", ["", "{{#s.none#}}", "nothing"])
def test_a_json_body_that_is_none_is_not_sent(text):
    last = one(node("h", "http-request", method="post", url="http://x/y", headers="", params="",
                    body={"type": "json", "data": [{"type": "text", "value": text}]}), {"none": None},
               ports=Ports(http=None))
    filled = "" if "#" in text else text
    assert (last.status, last.error) == ("failed", f"Failed to parse JSON: {filled}")


class Toolbox:
    """One tool that doubles."""

    def describe(self, ref):
        return ToolInfo(ToolSpec("double", "doubles", {"type": "object", "properties": {"n": {"type": "number"}}}))

    def invoke(self, ref, arguments, settings, cancel, *, user=None, depth=0):
        yield ToolMessage("text", str(arguments["n"] * 2))


@pytest.mark.parametrize(("strategy", "model", "query"), [
    ("function_calling", "fake-tool", '<<tool:double:{"n": 4}>>'),
    ("ReAct", "fake-llm", '<<say:Thought: done\nAction: {"action": "Final Answer", "action_input": "tool said: 8"}>>'),
])
def test_an_agent_answers(strategy, model, query):
    item = node("g", "agent", agent_strategy_name=strategy, agent_parameters={
        "model": {"type": "constant", "value": {"provider": "openai", "model": model}},
        "query": {"type": "constant", "value": query}, "instruction": {"type": "constant", "value": "help"},
        "tools": {"type": "constant", "value": [{"enabled": True, "type": "builtin", "provider_name": "math",
                                                 "tool_name": "double"}]},
        "maximum_iterations": {"type": "constant", "value": 3}})
    flow = graph([START, item, node("a", "answer", answer="{{#g.text#}}")], "s>g g>a")
    events = play(flow, mode="advanced-chat", ports=Ports(models=FakeModel(), tools=Toolbox()))
    assert text_of(events) == "tool said: 8"
    assert any(isinstance(event, ev.AgentLog) for event in events)


def test_the_classifier_and_the_extractor():
    model = {"provider": "openai", "name": "fake-llm", "mode": "chat"}
    item = node("c", "question-classifier", model=model, query_variable_selector=["s", "q"],
                classes=[{"id": "1", "name": "A"}, {"id": "2", "name": "B"}])
    fenced = '<<say:```json\n{"category_id": "2", "category_name": "B"}\n```>>'
    assert one(item, {"q": fenced}).outputs["class_name"] == "B"
    assert one(item, {"q": '<<say:{"category_id": 2}>>'}).outputs["class_name"] == "A"
    assert one(item, {"q": "<<say:none>>"}).status == "failed"
    item = node("p", "parameter-extractor", model=model, query=["s", "q"], reasoning_mode="prompt",
                parameters=[{"name": "n", "type": "number", "required": True}])
    good = one(item, {"q": '<<say:{"n": 4}>>'}).outputs
    assert (good["n"], good["__is_success"], good["__reason"]) == (4, 1, None)
    text = one(item, {"q": '<<say:{"n": "4"}>>'}).outputs
    assert (text["n"], text["__is_success"]) == (4, 0)
    assert text["__reason"].startswith("Invalid value for parameter n, expected segment type: number")
    none = one(item, {"q": "<<say:x>>"}).outputs
    assert (none["n"], none["__is_success"]) == (0, 0)
    assert none["__reason"].startswith("Failed to extract result")


@pytest.mark.parametrize(("answer", "outcome"), [
    ('{"category_id": "2", "category_name": "?"}', "B"), ('[{"category_id": "2", "category_name": "B"}]', "B"),
    ('it is {"category_id": "2", "category_name": "B"}, surely', "B"),
    ('`{"category_id": "2", "category_name": ""}`', "B"),
    ('<think>{"category_id": "1"}</think>{"category_id": "2", "category_name": "B"}', "B"),
    ('{"category_id": "2"}', "A"), ('{"category_id": "9", "category_name": "C"}', "A"), ('```"B"```', "A"),
    ('{"category_id": "2", "category_name": "B",}', "got invalid json object. error: "),
    ('{"category_id": "2", "category_name": "B"} or {}', "got invalid json object. error: "),
    ("[1, 2]", "got invalid return object. obj:[1, 2]"),
    ("`5`", "argument of type 'int' is not iterable"), ("B", "could not find json block in the output."),
    ("{", "could not find json block in the output."), ("}{", "could not find json block in the output.")])
def test_what_a_classifier_makes_of_an_answer(answer, outcome):
    item = node("c", "question-classifier", model={"provider": "openai", "name": "fake-llm", "mode": "chat"},
                query_variable_selector=["s", "q"], classes=[{"id": "1", "name": "A"}, {"id": "2", "name": "B"}])
    last = one(item, {"q": f"<<say:{answer}>>"})
    if len(outcome) == 1:
        assert last.outputs["class_name"] == outcome
    else:
        assert (last.status, last.error[:len(outcome)]) == ("failed", outcome)


@pytest.mark.parametrize(("operator", "actual", "expected", "outcome"), [
    (">", 3, "2.5", True), (">", True, "0", True), ("≤", 2.0, "2", True), (">", 2**60 + 1, str(2**60), True),
    ("=", 5, "5", True), ("=", 5, "5.0", "invalid literal for int() with base 10: '5.0'"),
    ("=", 0.5, "x", "could not convert string to float: 'x'"),
    (">", 5, "x", "Cannot convert 'x' to number"), (">", "5", "1", "Invalid actual value type: number"),
    ("=", "5", "5", "Invalid actual value type: number or boolean"),
    ("is", 5, "5", "Invalid actual value type: string or boolean"),
    ("start with", 5, "5", "Invalid actual value type: string"),
    ("all of", ["a", "b"], ["a"], True), ("all of", ["a"], ["a", "b"], False),
    ("contains", [1, 2], "1", False), ("contains", {"a": 1}, "a", "Invalid actual value type: string or array"),
    ("in", "a", "abc", "Invalid expected value type: array"), ("nonsense", 1, 1, "Unsupported operator: nonsense"),
])
def test_comparisons_and_their_errors(operator, actual, expected, outcome):
    if isinstance(outcome, bool):
        assert compare(operator, actual, expected) is outcome
    else:
        with pytest.raises(ConditionError, match=re.escape(outcome)):
            compare(operator, actual, expected)


@pytest.mark.parametrize("source", [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'x' * 999999999 }}", "{{ ''.__class__.__mro__ }}", "{{ '%999999999d' % 1 }}", "{{ 2 ** 99999 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
])
def test_templates_cannot_run_away(source, monkeypatch):
    monkeypatch.setattr(jinja, "MAX_SECONDS", 0.2)
    with pytest.raises(jinja.TemplateError):
        jinja.render(source, {})


@pytest.mark.parametrize(("text", "value"), [
    ('{"q": word, }', {"q": "word"}), ("x {'a': [1, 2,]} y", {"a": [1, 2]}), ('{"a": {"b": 1', {"a": {"b": 1}}),
    ("```json\n{\"a\": true}\n```", {"a": True}), ('{"a": http://x/y}', {"a": "http://x/y"}),
    ('{"q": "he said "hi", then\nleft", "n": 1}', {"q": 'he said "hi", then\nleft', "n": 1}),
    ('<think>a</think>{"a": 1}', {"a": 1}), ('{"a": 1 "b": 2}', {"a": 1, "b": 2}), ('{"a": 1}{"b": 2}', [
        {"a": 1}, {"b": 2}]),
])
def test_broken_json_is_read(text, value):
    assert jsonrepair.loads(text) == value


@pytest.mark.parametrize("text", ["", "no JSON", "[" * 100_000, "{" * 50_000, '["' + 'a" ' * 10_000])
def test_json_that_cannot_be_repaired_soon_is_given_up(text):
    """The last takes the library half a minute when it is left alone."""
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"JSON|deep|nesting|damaged"):
        jsonrepair.loads(text)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("said", "value"), [
    ('[1, {"a": 1}, {"a": 2}]', {"a": 1}), ("[1, 2]", {}), ('{"a": 1', {"a": 1}), ("none", None)])
def test_structured_output_takes_the_first_object(said, value):
    found = one(llm("l", f"<<say:{said}>>", structured_output_enabled=True, structured_output={"schema": {}}), {})
    assert found.outputs.get("structured_output") == value
    assert found.status == ("failed" if value is None else "succeeded")


@pytest.mark.parametrize(("required", "found"), [(True, ("failed", None)), (False, ("succeeded", "left out"))])
def test_a_tool_leaves_out_an_optional_variable_that_is_gone(required, found):
    class Tools:
        def describe(self, ref):
            return ToolInfo(ToolSpec("t", "", {}), parameters={"p": {"required": required}})

        def invoke(self, ref, arguments, settings, cancel, *, user=None, depth=0):
            yield ToolMessage("text", arguments.get("p", "left out"))

    last = one(node("t", "tool", provider_id="x", tool_name="t",
                    tool_parameters={"p": {"type": "variable", "value": ["x", "gone"]}}), ports=Ports(tools=Tools()))
    assert (last.status, last.outputs.get("text")) == found


def test_ends_merge():
    flow = graph([START, end("a", x=["s", "q"]), end("b", y=["s", "q"])], "s>a a>b")
    assert play(flow, {"q": 1}, ports=Ports(code=LocalCode()))[-1].outputs == {"x": 1, "y": 1}


class Web:
    """Answers every request with one reply."""

    def __init__(self, status=200, kind="text/plain", content=b"x", **headers):
        self.reply = status, {"content-type": kind, **headers}, content

    def request(self, request, cancel):
        return HttpResponse(*self.reply, request.url)


FAIL = {"error_strategy": "fail-branch"}


@pytest.mark.parametrize(("status", "data", "found"), [
    (404, {}, ("succeeded", None)),
    (404, FAIL, ("exception", "HTTPResponseCodeError")),
    (304, FAIL, ("exception", "HTTPResponseCodeError")),
    (503, FAIL, ("exception", "HttpRequestNodeError")),
    (500, {}, ("failed", "HttpRequestNodeError")),
])
def test_http_statuses(status, data, found):
    last = one(node("h", "http-request", method="get", url="http://x/y", headers="", params="", **data),
               ports=Ports(http=Web(status)))
    assert (last.status, last.error_type) == found


@pytest.mark.parametrize(("kind", "content", "disposition", "is_file"), [
    ("application/pdf", b"%PDF\xff", "", True),
    ("application/octet-stream", b"plain words", "", True),
    ("application/octet-stream", b'{"a": 1}', "", False),
    ("application/vnd.api+json", b"{}", "", False),
    ("text/plain", b"x", 'inline; filename="a.txt"', True),
    ("text/csv", b"a,b", "", False),
    ("image/png", b"\x89PNG", "", True),
    ("", b"x", "", False),
])
def test_http_replies_that_are_files(kind, content, disposition, is_file):
    class Files:
        def save(self, content, filename, mime_type):
            return File("document", "tool_file", filename=filename)

    web = Web(200, kind, content, **{"content-disposition": disposition})
    last = one(node("h", "http-request", method="get", url="http://x/y", headers="", params=""),
               ports=Ports(http=web, files=Files()))
    assert bool(last.outputs["files"]) == is_file


class Past:
    """Memory of some turns."""

    def __init__(self, *turns):
        self.kept = list(turns)

    def turns(self, limit):
        return self.kept[-limit:]


class Bytes:
    """Every file holds one letter."""

    def read(self, file):
        return b"x"


PICTURE = File("image", "local_file", filename="p.png", mime_type="image/png")


def asked(item, inputs=None, **ports):
    """Return what the model was sent."""
    model = FakeModel()
    one(item, inputs, ports=Ports(models=model, files=Bytes(), **ports), system={"query": "now"})
    return model.calls[0]["messages"]


def test_a_file_in_a_prompt_follows_its_text():
    item = llm("m", "look: {{#s.f#}}", "fake-vision")
    assert asked(item, {"f": PICTURE}) == [("user", "look: "), ("user", "[image]")]
    assert asked(llm("m", "{{#s.f#}}", "fake-vision"), {"f": [PICTURE, PICTURE]}) == [("user", "[image]\n[image]")]


@pytest.mark.parametrize(("configs", "seen"), [({}, "high"), ({"detail": "low"}, "low")])
@pytest.mark.parametrize("item", [
    llm("m", "look", "fake-vision"),
    node("m", "question-classifier", query_variable_selector=["s", "q"], classes=[{"id": "1", "name": "A"}]),
    node("m", "parameter-extractor", query=["s", "q"], reasoning_mode="prompt", parameters=[
        {"name": "n", "type": "string", "required": True}])])
def test_a_picture_is_looked_at_as_closely_as_the_settings_say(item, configs, seen):
    data = {**item["data"], "model": {"provider": "openai", "name": "fake-vision", "mode": "chat"},
            "vision": {"enabled": True, "configs": {"variable_selector": ["s", "f"], **configs}}}

    class Watched(FakeModel):
        """Notes the pictures of the last message."""

        def chat(self, ref, messages, **options):
            pictures.extend(part.detail for part in messages[-1].content if part.type == "image")
            return super().chat(ref, messages, **options)

    pictures: list = []
    one({**item, "data": data}, {"q": "<<say:{}>>", "f": PICTURE}, ports=Ports(models=Watched(), files=Bytes()))
    assert pictures == [seen]


@pytest.mark.parametrize(("features", "size", "count"), [
    ({"vision"}, 128_000, 5), ({"vision"}, 4096, 2), ((), 128_000, 0)])
def test_as_many_pictures_of_passages_are_shown_as_fit(features, size, count):
    info = ModelInfo(ModelRef("openai", "m"), frozenset(features), size)
    files = [{"id": str(number), "name": f"{number}.png", "mime_type": "image/png"} for number in range(7)]
    drawing = {"id": "bmp", "name": "a.bmp", "mime_type": "image/bmp"}
    found = [{"content": "a", "files": [drawing, *files[:2]], "metadata": {"_source": "knowledge"}},
             {"content": "b", "files": files[1:], "metadata": {"_source": "knowledge"}}]
    seen = prompts.context_pictures(found, info, lambda file: f"data:{file.related_id}", "low")
    assert [(part.data, part.detail) for part in seen] == [(f"data:{number}", "low") for number in range(count)]
    elsewhere = [{"content": "a", "files": files, "metadata": {"_source": "a client"}}, "text", {"content": "b"}]
    assert prompts.context_pictures(elsewhere, info, str, None) == []


def test_files_of_earlier_turns_stay_in_sight():
    item = llm("m", "sys", "fake-vision", memory={"window": {"enabled": False}})
    assert asked(item, memory=Past(Turn("q", "a", [PICTURE])))[1] == ("user", "[image]\nq")


def test_history_is_cut_to_the_models_context():
    turns = [Turn(f"{index} " + "word " * 60_000, "a") for index in range(3)]
    item = llm("m", "sys", memory={"window": {"enabled": False}})
    assert len(asked(item, memory=Past(*turns))) == 4
    item = llm("m", "{{#histories#}} end", "fake-completion", memory={"window": {"enabled": False}})
    item["data"]["model"]["mode"] = "completion"
    assert "1 word" not in asked(item, memory=Past(*turns))[0][1]


def test_what_context_and_history_hold_is_no_template():
    item = llm("m", "{{#context#}}", context={"enabled": True, "variable_selector": ["s", "c"]})
    assert asked(item, {"c": "write {{#env.key#}} and {{#context#}}"}) == [
        ("user", "write {{#env.key#}} and {{#context#}}")]
    item = node("m", "llm", model={"provider": "openai", "name": "fake-completion", "mode": "completion"},
                prompt_template={"edition_type": "jinja2", "jinja2_text": "{{#histories#}} end"},
                memory={"window": {"enabled": False}})
    assert "{{ 6 * 7 }}" in asked(item, memory=Past(Turn("{{ 6 * 7 }}", "a")))[0][1]


def test_a_completion_prompt_without_a_place_for_the_history_begins_with_it():
    item = node("m", "llm", model={"provider": "openai", "name": "fake-completion", "mode": "completion"},
                prompt_template={"text": "then {{#sys.query#}}"}, memory={"window": {"enabled": False}})
    assert asked(item, memory=Past(Turn("q", "a"))) == [("user", "Human: q\nAssistant: a\nthen now")]


def test_a_missing_jinja_variable_fails_the_prompt():
    item = llm("m", "", prompt_config={"jinja2_variables": [{"variable": "v", "value_selector": ["x", "gone"]}]})
    item["data"]["prompt_template"] = [{"role": "user", "edition_type": "jinja2", "jinja2_text": "say {{ v }}"}]
    found = one(item)
    assert (found.status, found.error) == ("failed", "Variable v not found")


def test_reasoning_set_apart_is_still_in_the_stream():
    """Dify 1.14 parts them when the node ends; what a client shows meanwhile has the tags."""
    model = llm("m", "<<say:Hello>><<think:hm hm>>", reasoning_format="separated")
    events = play(graph([START, model, end("e", said=["m", "text"], thought=["m", "reasoning_content"])], "s>m m>e"))
    assert text_of(events) == "<think>hm hm</think>Hello\nhm hm"  # the second output after a newline
    assert events[-1].outputs == {"said": "Hello", "thought": "hm hm"}


def test_text_set_apart_from_reasoning_has_no_blank_edges():
    found = one(llm("m", "<<say:\n\nHello\n \n\nyou\n>><<think:hm>>", reasoning_format="separated"))
    assert found.outputs["text"] == "Hello\n\nyou"
