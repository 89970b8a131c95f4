"""Conditions of if-else nodes, loops and list filters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sparrow.engine.files import File
from sparrow.engine.pool import Pool
from sparrow.engine.template import render
from sparrow.engine.values import MISSING, jsonable


class ConditionError(ValueError):
    """A condition cannot be judged (missing variable, wrong type)."""

    error_type = "ValueError"


def evaluate(pool: Pool, conditions: Sequence[dict[str, Any]], operator: str) -> tuple[list[dict], list[bool], bool]:
    """Judge conditions joined by `and` or `or`, stopping as soon as the outcome is known.

    Return (what was compared, as Dify shows it; the single results; the outcome). Raise ConditionError.
    """
    shown: list[dict[str, Any]] = []
    results: list[bool] = []
    for condition in conditions:
        selector = [str(part) for part in condition.get("variable_selector") or ()]
        actual = pool.get(selector)
        if actual is MISSING:
            raise ConditionError(f"Variable {selector} not found")
        comparison = str(condition.get("comparison_operator") or "")
        expected = condition.get("value")
        sub = condition.get("sub_variable_condition")
        if isinstance(actual, list) and actual and all(isinstance(item, File) for item in actual) and (
                comparison in ("contains", "not contains", "all of")) and sub:
            outcome = _files(actual, comparison, sub, pool)
        elif comparison in ("exists", "not exists"):
            outcome = (actual is not None) == (comparison == "exists")
        else:
            if isinstance(expected, str):
                expected = render(expected, pool)
            elif isinstance(expected, list):
                expected = [render(item, pool) if isinstance(item, str) else item for item in expected]
            shown.append({"actual_value": jsonable(actual), "expected_value": expected,
                          "comparison_operator": comparison})
            outcome = compare(comparison, actual, expected)
        results.append(outcome)
        if outcome == (operator == "or"):
            break
    final = any(results) if operator == "or" else all(results)
    return shown, results, final


def _files(files: list[File], comparison: str, sub: dict[str, Any], pool: Pool) -> bool:
    rules = sub.get("conditions") or ()
    join = any if sub.get("logical_operator") == "or" else all

    def fits(file: File) -> bool:
        outcomes = []
        for rule in rules:
            value = rule.get("value")
            value = render(value, pool) if isinstance(value, str) else value
            key = str(rule.get("key") or "")
            actual = file.attribute(key)
            if key == "extension" and isinstance(value, str) and value and not value.startswith("."):
                value = f".{value}"
            outcomes.append(compare(str(rule.get("comparison_operator") or ""), actual, value))
        return join(outcomes)

    if comparison == "all of":
        return all(fits(file) for file in files)
    return any(fits(file) for file in files) == (comparison == "contains")


def compare(operator: str, actual: Any, expected: Any) -> bool:
    """Judge one comparison."""
    operator = {"==": "=", "!=": "≠", ">=": "≥", "<=": "≤"}.get(operator, operator)
    judge = _JUDGES.get(operator)
    if judge is None:
        raise ConditionError(f"Unsupported operator: {operator}")
    return judge(actual, expected)


def _contains(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if not isinstance(actual, str | list):
        raise ConditionError("Invalid actual value type: string or array")
    if isinstance(actual, list):
        if all(isinstance(item, bool) for item in actual):
            return _to_bool(expected) in actual
        return expected in actual
    return str(expected) in actual


def _not_contains(actual: Any, expected: Any) -> bool:
    return not actual or not _contains(actual, expected)


def _starts(actual: Any, expected: Any) -> bool:
    return bool(actual) and _text(actual).startswith(str(expected))


def _ends(actual: Any, expected: Any) -> bool:
    return bool(actual) and _text(actual).endswith(str(expected))


def _text(actual: Any) -> str:
    if not isinstance(actual, str):
        raise ConditionError("Invalid actual value type: string")
    return actual


def _to_bool(expected: Any) -> bool:
    if isinstance(expected, bool):
        return expected
    try:
        return bool(json.loads(str(expected).lower()))
    except ValueError:
        raise ConditionError(f"unexpected boolean value {expected}") from None


def _is(actual: Any, expected: Any) -> bool:
    if actual is None:
        return False
    if isinstance(actual, bool):
        return actual == _to_bool(expected)
    return _text(actual) == expected


def _is_not(actual: Any, expected: Any) -> bool:
    if actual is None:
        return False
    return not _is(actual, expected)


def _in(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if not isinstance(expected, list):
        raise ConditionError("Invalid expected value type: array")
    return actual in expected


def _not_in(actual: Any, expected: Any) -> bool:
    if not actual:
        return True
    if not isinstance(expected, list):
        raise ConditionError("Invalid expected value type: array")
    return actual not in expected


def _all_of(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if not isinstance(expected, list):
        raise ConditionError("Invalid expected value type: array")
    return all(item in actual for item in expected)


def _number(test: Any, whole: bool = False) -> Any:
    def judge(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if isinstance(actual, bool) and whole:
            return test(actual, _to_bool(expected))
        if isinstance(actual, bool) or not isinstance(actual, int | float):
            raise ConditionError("Invalid actual value type: number")
        try:
            if isinstance(actual, int) and (whole or "." not in str(expected)):
                return test(actual, int(expected))
            return test(actual, float(expected))
        except (TypeError, ValueError):
            raise ConditionError(f"Cannot convert '{expected}' to number") from None

    return judge


_JUDGES = {
    "contains": _contains,
    "not contains": _not_contains,
    "start with": _starts,
    "end with": _ends,
    "is": _is,
    "is not": _is_not,
    "empty": lambda actual, _: not actual,
    "not empty": lambda actual, _: bool(actual),
    "in": _in,
    "not in": _not_in,
    "all of": _all_of,
    "=": _number(lambda a, b: a == b, whole=True),
    "≠": _number(lambda a, b: a != b, whole=True),
    ">": _number(lambda a, b: a > b),
    "<": _number(lambda a, b: a < b),
    "≥": _number(lambda a, b: a >= b),
    "≤": _number(lambda a, b: a <= b),
    "null": lambda actual, _: actual is None,
    "not null": lambda actual, _: actual is not None,
    "exists": lambda actual, _: bool(actual),
    "not exists": lambda actual, _: not actual,
}
