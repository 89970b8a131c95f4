"""The list operator: filter, extract, order, limit."""

from __future__ import annotations

from typing import Any

from sparrow.engine import template
from sparrow.engine.conditions import ConditionError, compare
from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING, jsonable, type_name

_SUPPORTED = ("array[string]", "array[number]", "array[boolean]", "array[file]", "array[any]")


class ListOperator(Node):
    """Works on lists of text, numbers, booleans and files."""

    def run(self, context: Context) -> Result:
        """Return result, first_record, last_record."""
        selector = [str(part) for part in self.data.get("variable") or ()]
        items = context.pool.get(selector)
        if items is MISSING:
            raise NodeError(f"Variable not found for selector: {selector}", "ListOperatorError")
        shown = {"variable": jsonable(items) if items else []}
        if not items:
            return Result({"result": [], "first_record": None, "last_record": None}, shown, shown)
        if not isinstance(items, list) or type_name(items) not in _SUPPORTED:
            raise NodeError(f"Variable {selector} is not an array of strings, numbers, booleans or files",
                            "InvalidTypeError", inputs=shown, process_data=shown)
        try:
            items = self._order(self._extract(self._filter(list(items), context), context))
        except (ConditionError, TypeError) as error:
            raise NodeError(str(error), "ListOperatorError", inputs=shown, process_data=shown) from None
        except NodeError as error:
            if error.error_type != "ValueError":
                error.inputs, error.process_data = shown, shown
            raise
        limit = self.data.get("limit") or {}
        if limit.get("enabled"):
            items = items[: int(limit.get("size") or 0)]
        return Result({"result": items, "first_record": items[0] if items else None,
                       "last_record": items[-1] if items else None}, shown, shown)

    def _filter(self, items: list[Any], context: Context) -> list[Any]:
        rules = self.data.get("filter_by") or {}
        if not rules.get("enabled"):
            return items
        for rule in rules.get("conditions") or ():
            value = rule.get("value")
            if isinstance(value, str):
                value = template.render(value, context.pool)
            elif isinstance(value, list):
                value = [template.render(one, context.pool) if isinstance(one, str) else one for one in value]
            operator, key = str(rule.get("comparison_operator") or ""), str(rule.get("key") or "")
            items = [item for item in items if _fits(item, key, operator, value)]
        return items

    def _extract(self, items: list[Any], context: Context) -> list[Any]:
        rules = self.data.get("extract_by") or {}
        if not rules.get("enabled"):
            return items
        try:
            place = int(template.render(str(rules.get("serial") or "1"), context.pool))
        except ValueError as error:
            raise NodeError(str(error), "ValueError") from None
        if place < 1:
            raise NodeError(f"Invalid serial index: must be >= 1, got {place}", "ListOperatorError")
        if place > len(items):
            raise NodeError(f"Invalid serial index: must be <= {len(items)}, got {place}", "ListOperatorError")
        return [items[place - 1]]

    def _order(self, items: list[Any]) -> list[Any]:
        rules = self.data.get("order_by") or {}
        if not rules.get("enabled"):
            return items
        key = str(rules.get("key") or "")
        return sorted(items, key=lambda item: item.attribute(key or "name") if isinstance(item, File) else item,
                      reverse=rules.get("value") == "desc")


def _fits(item: Any, key: str, operator: str, value: Any) -> bool:
    if isinstance(item, File):
        try:
            actual = item.attribute(key)
        except KeyError:
            raise ConditionError(f"Invalid key: {key}") from None
        if key == "size":
            value = float(value)
            actual = float(actual)
        return compare(operator, actual, value)
    if isinstance(item, str) and operator in ("in", "not in"):
        if not isinstance(value, str):
            raise ConditionError(f"Invalid expected value type: string for {operator}")
        return (item in value) == (operator == "in")
    if isinstance(item, int | float) and not isinstance(item, bool):
        number = float(value)
        value = int(number) if number.is_integer() else number
        item = float(item) if isinstance(value, float) else item
    return compare(operator, item, value)
