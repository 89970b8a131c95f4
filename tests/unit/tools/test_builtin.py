"""The built-in tools, through the engine's port."""

import pytest

from sparrow.engine.ports import Cancel, PortError, ToolRef
from sparrow.tools.port import Port


def use(provider, tool, settings=None, **arguments):
    ref = ToolRef("builtin", provider, tool)
    return "".join(m.value for m in Port().invoke(ref, arguments, settings or {}, Cancel()))


@pytest.mark.parametrize(("text", "value"), [("(2+3)*4", "20"), ("sqrt(16)", "4.0"), ("2^10", "1024"),
                                            ("-7 // 2", "-4")])
def test_calculates(text, value):
    assert use("maths", "eval_expression", expression=text) == value


@pytest.mark.parametrize("text", ["__import__('os')", "9**9**9", "1/0", "'a'*9", "(", "().__class__", "9^999999"])
def test_refuses_what_is_not_arithmetic(text):
    with pytest.raises(PortError):
        use("maths", "eval_expression", expression=text)


def test_time(monkeypatch):
    monkeypatch.setattr("sparrow.clock.now", lambda: 0.0)
    assert use("langgenius/time/time", "current_time", {"timezone": "Asia/Shanghai", "format": "%H:%M"}) == "08:00"
    assert use("time", "weekday", year=2026, month=11, day=24) .endswith("Tuesday.")
    assert use("time", "timezone_conversion", current_time="2026-01-01 00:00:00", current_timezone="UTC",
               target_timezone="Asia/Tokyo") == "2026-01-01 09:00:00"


def test_json():
    assert use("json_process", "parse", content='{"a": [{"b": "水"}]}', query="a[0].b") == "水"


def test_code_runs_in_the_sandbox():
    assert use("code", "simple_code", code="def main(): return 6 * 7") == "42"


def test_pages_are_behind_the_guard():
    with pytest.raises(PortError, match="not allowed"):
        use("webscraper", "webscraper", url="http://127.0.0.1:1/")


def test_unknown_tools_and_missing_parameters():
    with pytest.raises(PortError, match="does not exist"):
        Port().describe(ToolRef("builtin", "acme", "x"))
    with pytest.raises(PortError, match="expression not found"):
        use("maths", "eval_expression")


def test_describes_what_the_model_fills_in():
    info = Port().describe(ToolRef("builtin", "feishu", "feishu_group_bot"))
    assert list(info.spec.parameters["properties"]) == ["content"]
    assert info.parameters["hook_key"]["form"] == "form"
