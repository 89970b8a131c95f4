"""Arithmetic and JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from sparrow.tools.builtin import Provider, label
from sparrow.tools.calculator import calculate
from sparrow.tools.types import Parameter, Tool, Use, failure


def _calculate(values: dict[str, Any], use: Use) -> str:
    try:
        return str(calculate(str(values["expression"])))
    except ValueError as error:
        raise failure(str(error)) from error


def _load(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise failure(f"This is not JSON: {error}") from error


def _steps(query: Any) -> list[str]:
    text = re.sub(r"""\[['"]?([^\]'"]*)['"]?\]""", r".\1", str(query or "").strip()).removeprefix("$")
    return [step for step in text.split(".") if step]


def _at(value: Any, steps: list[str]) -> Any:
    for index, step in enumerate(steps):
        try:
            if step == "*" and isinstance(value, list | dict):
                items = value if isinstance(value, list) else value.values()
                return [_at(item, steps[index + 1:]) for item in items]
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise failure(f"The JSON has nothing at “{'.'.join(steps[:index + 1])}”.") from None
    return value


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(values: dict[str, Any], use: Use) -> str:
    return _write(_at(_load(values["content"]), _steps(values.get("query") or values.get("json_filter"))))


def _change(values: dict[str, Any], use: Use) -> str:
    """Put a value at a path; with no value take away what is there."""
    whole, steps = _load(values["content"]), _steps(values["query"])
    if not steps:
        raise failure("The path is empty.")
    place, last = _at(whole, steps[:-1]), steps[-1]
    try:
        if values.get("value") is None:
            del place[int(last) if isinstance(place, list) else last]
        else:
            try:
                new = json.loads(values["value"]) if isinstance(values["value"], str) else values["value"]
            except ValueError:
                new = values["value"]
            if isinstance(place, list) and int(last) == len(place):
                place.append(new)
            else:
                place[int(last) if isinstance(place, list) else last] = new
    except (KeyError, IndexError, TypeError, ValueError):
        raise failure(f"The JSON has nothing at “{'.'.join(steps)}”.") from None
    return _write(whole)


_CONTENT = Parameter("content", "The JSON text", zh="JSON 文本")
PROVIDERS = (
    Provider("maths", label("Calculator", "计算器"), label("Calculates.", "数学计算。"), (
        Tool("eval_expression", label("Calculator", "计算器"), "Calculates an arithmetic expression.",
             (Parameter("expression", "The expression, such as (2 + 3) * sqrt(2)", zh="算式"),), _calculate),)),
    Provider("json_process", label("JSON", "JSON 处理"), label("Reads and changes JSON.", "读取与修改 JSON。"), (
        Tool("parse", label("Take from JSON", "JSON 解析"), "Takes a value out of a JSON text.", (
            _CONTENT, Parameter("query", "Path such as items[0].name; * is every item", required=False, zh="路径"),
            Parameter("json_filter", "The same as query, as older apps name it", required=False, form=True,
                      zh="路径（旧名称）")), _parse),
        Tool("change", label("Change JSON", "JSON 修改"), "Puts a value into a JSON text, or takes one away.", (
            _CONTENT, Parameter("query", "Path of the value", zh="路径"),
            Parameter("value", "The new value as JSON or text; nothing deletes", required=False,
                      zh="新值；留空为删除")),
             _change))),
)
