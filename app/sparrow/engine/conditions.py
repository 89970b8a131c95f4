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
                comparison in ("contains", "not contains", "all of")):
            if not sub:
                raise ConditionError("Sub variable is required")
            outcome = _files(actual, sub)
        elif comparison in ("exists", "not exists"):
            outcome = (actual is not None) == (comparison == "exists")
        else:
            if isinstance(expected, str):  # the items of a list are no templates, as in Dify
                expected = render(expected, pool)
            if expected is not None and _is_boolean(actual):
                expected = [_to_bool(item) for item in expected] if isinstance(expected, list) else _to_bool(expected)
            shown.append({"actual_value": jsonable(actual), "expected_value": expected,
                          "comparison_operator": comparison})
            outcome = compare(comparison, actual, expected)
        results.append(outcome)
        if outcome == (operator == "or"):
            break
    final = any(results) if operator == "or" else all(results)
    return shown, results, final


def _files(files: list[File], sub: dict[str, Any]) -> bool:
    """Judge a list of files by their attributes.

    Each rule looks at all files: one that says "not" must hold for every file, any other for at least one. The
    operator above the rules (contains, not contains, all of) makes no difference, as in Dify.
    """
    outcomes = []
    for rule in sub.get("conditions") or ():
        key, comparison, expected = str(rule.get("key") or ""), str(rule.get("comparison_operator") or ""), \
            rule.get("value")
        try:
            found = [file.attribute(key) for file in files]
        except KeyError:
            raise ConditionError(f"'{key}' is not a valid FileAttribute") from None
        if key == "extension":
            if not isinstance(expected, str):
                raise ConditionError("Expected value must be a string when key is FileAttribute.EXTENSION")
            expected, found = _dotted(expected), [_dotted(value) for value in found]
        results = [compare(comparison, value, expected) for value in found]
        outcomes.append(all(results) if "not" in comparison else any(results))
    return any(outcomes) if sub.get("logical_operator") == "or" else all(outcomes)


def _dotted(extension: Any) -> Any:
    return f".{extension}" if isinstance(extension, str) and extension and extension[0] != "." else extension


def check(conditions: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError for an operator that does not exist."""
    for condition in conditions:
        sub = condition.get("sub_variable_condition") or {}
        for rule in (condition, *(sub.get("conditions") or ())):
            operator = rule.get("comparison_operator")
            if _ALIASES.get(operator, operator) not in _JUDGES:
                raise ValueError(f"Unsupported operator: {operator}")


def compare(operator: str, actual: Any, expected: Any) -> bool:
    """Judge one comparison."""
    judge = _JUDGES.get(_ALIASES.get(operator, operator))
    if judge is None:
        raise ConditionError(f"Unsupported operator: {operator}")
    return judge(actual, expected)


def _contains(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if not isinstance(actual, str | list):
        raise ConditionError("Invalid actual value type: string or array")
    if isinstance(actual, list):
        return expected in actual
    return str(expected) in actual


def _not_contains(actual: Any, expected: Any) -> bool:
    return not actual or not _contains(actual, expected)


def _starts(actual: Any, expected: Any) -> bool:
    return bool(actual) and _text(actual).startswith(_text(expected, "Expected value must be a string for startswith"))


def _ends(actual: Any, expected: Any) -> bool:
    return bool(actual) and _text(actual).endswith(_text(expected, "Expected value must be a string for endswith"))


def _text(value: Any, error: str = "Invalid actual value type: string") -> str:
    if not isinstance(value, str):
        raise ConditionError(error)
    return value


def _is_boolean(actual: Any) -> bool:
    return isinstance(actual, bool) or (
        isinstance(actual, list) and bool(actual) and all(isinstance(item, bool) for item in actual))


def _to_bool(expected: Any) -> bool:
    if isinstance(expected, bool):
        return expected
    value = expected
    if isinstance(expected, str):
        try:
            value = json.loads(expected)
        except ValueError as error:
            raise ConditionError(str(error)) from None
    if not isinstance(value, int):
        raise ConditionError(f"unexpected value: type={type(expected)}, value={expected}")
    return bool(value)


def _is(actual: Any, expected: Any) -> bool:
    if actual is None:
        return False
    if not isinstance(actual, str | bool):
        raise ConditionError("Invalid actual value type: string or boolean")
    return actual == expected


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
    for kind, holders in ((str, (str, list)), (bool, list)):
        if isinstance(expected, list) and all(isinstance(item, kind) for item in expected):
            return bool(actual) and isinstance(actual, holders) and all(item in actual for item in expected)
    raise ConditionError("all of operator expects homogeneous list of strings or booleans")


def _equal(actual: Any, expected: Any) -> bool:
    """Compare a number: what is expected is read in the actual value's own type, so 5 is not "5.0"."""
    if not isinstance(actual, int | float):
        raise ConditionError("Invalid actual value type: number or boolean")
    if not isinstance(expected, int | float | str):
        raise ConditionError(f"Cannot convert {type(expected)} to {type(actual).__name__}")
    try:
        return actual == type(actual)(expected)
    except ValueError as error:
        raise ConditionError(str(error)) from None


def _order(test: Any) -> Any:
    def judge(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, int | float):
            raise ConditionError("Invalid actual value type: number")
        try:
            return test(actual, _exact(expected))
        except TypeError:
            raise ConditionError(f"Cannot convert {type(expected)} to number") from None
        except ValueError:
            raise ConditionError(f"Cannot convert '{expected}' to number") from None

    return judge


def _exact(expected: Any) -> int | float:
    """Return text as a number, whole ones of any size without loss."""
    try:
        return int(expected) if isinstance(expected, str) else float(expected)
    except ValueError:
        return float(expected)


_ALIASES = {"==": "=", "!=": "≠", ">=": "≥", "<=": "≤"}
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
    "=": lambda actual, expected: actual is not None and _equal(actual, expected),
    "≠": lambda actual, expected: actual is not None and not _equal(actual, expected),
    ">": _order(lambda a, b: a > b),
    "<": _order(lambda a, b: a < b),
    "≥": _order(lambda a, b: a >= b),
    "≤": _order(lambda a, b: a <= b),
    "null": lambda actual, _: actual is None,
    "not null": lambda actual, _: actual is not None,
    "exists": lambda actual, _: actual is not None,
    "not exists": lambda actual, _: actual is None,
}
