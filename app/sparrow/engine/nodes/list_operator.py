"""The list operator: filter, extract, order, limit."""

from __future__ import annotations

from typing import Any

from sparrow.engine import template
from sparrow.engine.conditions import ConditionError, compare
from sparrow.engine.context import Context
from sparrow.engine.files import ATTRIBUTES, File
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING, jsonable, type_name

_SUPPORTED = ("array[string]", "array[number]", "array[boolean]", "array[file]")


class ListOperator(Node):
    """Works on lists of text, numbers, booleans and files."""

    def run(self, context: Context) -> Result:
        """Return result, first_record, last_record."""
        selector = [str(part) for part in self.data.get("variable") or ()]
        items = context.pool.get(selector)
        if items is MISSING:
            raise NodeError(f"Variable not found for selector: {selector}", "")
        shown = {"variable": jsonable(items) if items else []}
        if not items:
            return Result({"result": [], "first_record": None, "last_record": None}, shown, shown)
        if not isinstance(items, list) or type_name(items) not in _SUPPORTED:
            raise NodeError(f"Variable {selector} is not an array type, actual type: {type_name(items)}",
                            "")
        try:
            items = self._order(self._extract(self._filter(list(items), context), context))
        except ConditionError as error:
            raise NodeError(str(error), "", inputs=shown, process_data=shown) from None
        except (TypeError, ValueError) as error:
            raise NodeError(str(error)) from None
        limit = self.data.get("limit") or {}
        if limit.get("enabled"):
            items = items[: int(limit.get("size", -1))]
        return Result({"result": items, "first_record": items[0] if items else None,
                       "last_record": items[-1] if items else None}, shown, shown)

    def _filter(self, items: list[Any], context: Context) -> list[Any]:
        rules = self.data.get("filter_by") or {}
        if not rules.get("enabled"):
            return items
        for rule in rules.get("conditions") or ():
            value = rule.get("value", "")
            if isinstance(value, str):
                value = template.render(value, context.pool)
            elif value in (0, 1):  # True and False, as numbers too
                value = bool(value)
            operator, key = str(rule.get("comparison_operator") or ""), str(rule.get("key") or "")
            items = [item for item in items if _fits(item, key, operator, value)]
        return items

    def _extract(self, items: list[Any], context: Context) -> list[Any]:
        rules = self.data.get("extract_by") or {}
        if not rules.get("enabled"):
            return items
        place = int(template.render(str(rules.get("serial", "1")), context.pool))
        if place < 1:
            raise ValueError(f"Invalid serial index: must be >= 1, got {place}")
        if place > len(items):
            raise ConditionError(f"Invalid serial index: must be <= {len(items)}, got {place}")
        return [items[place - 1]]

    def _order(self, items: list[Any]) -> list[Any]:
        rules = self.data.get("order_by") or {}
        if not rules.get("enabled"):
            return items
        key = str(rules.get("key") or "")
        if isinstance(items[0] if items else None, File) and key not in ATTRIBUTES:
            raise ConditionError(f"Invalid order key: {key}")
        return sorted(items, key=lambda item: _attribute(item, key) if isinstance(item, File) else item,
                      reverse=rules.get("value") == "desc")


def _attribute(file: File, key: str) -> Any:
    """Return what a filter or an order looks at; `url` is where a remote file came from."""
    if key == "url":
        return file.remote_url or ""
    try:
        value = file.attribute(key)
    except KeyError:
        raise ConditionError(f"Invalid key: {key}") from None
    return value if key == "size" else value or ""


_TEXT = ("contains", "not contains", "start with", "end with", "is", "is not", "in", "not in", "empty", "not empty")
_ORDER = ("=", "≠", "<", "≤", ">", "≥")


def _fits(item: Any, key: str, operator: str, value: Any) -> bool:
    if isinstance(item, File):
        if isinstance(value, bool):
            raise TypeError(f"File filter expects a string value, got {type(value)}")
        actual = _attribute(item, key)
        if key in ("type", "transfer_method"):
            if operator not in ("in", "not in"):
                raise ConditionError(f"Invalid condition: {operator}")
            return (actual in value) == (operator == "in")
        if not isinstance(value, str):
            raise ConditionError(f"Invalid key: {key}")
        return _judge(actual, operator, value)
    if isinstance(item, bool):
        if not isinstance(value, bool):
            raise TypeError(f"Boolean filter expects a boolean value, got {type(value)}")
        if operator not in ("is", "is not"):
            raise ConditionError(f"Invalid condition: {operator}")
        return (item == value) == (operator == "is")
    if not isinstance(value, str):
        raise ConditionError(f"Invalid filter value: {value}")
    return _judge(item, operator, value)


def _judge(item: Any, operator: str, value: str) -> bool:
    """Compare a text or a number; `in` asks whether the item is part of the value's text."""
    number = None if isinstance(item, str) else float(value)
    if operator not in (_TEXT if isinstance(item, str) else _ORDER):
        raise ConditionError(f"Invalid condition: {operator}")
    if operator in ("in", "not in"):
        return (item in value) == (operator == "in")
    if isinstance(item, str):
        if operator in ("contains", "start with", "end with", "not contains") and not item:
            # An empty text contains nothing but an empty text.
            return (not value) != (operator == "not contains")
        return compare(operator, item, value)
    return compare(operator, float(item), number)
