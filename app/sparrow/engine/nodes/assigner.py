"""The variable assigner, versions 1 and 2: changes conversation, loop and other variables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sparrow.engine import events as ev
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING, empty_of, fits, jsonable, type_name

_VARIABLE_ONLY = frozenset(("clear", "append", "extend", "remove-first", "remove-last", "over-write"))
_ARITHMETIC = frozenset(("+=", "-=", "*=", "/="))


class Assigner(Node):
    """Applies its items in order; each sees what the earlier ones did."""

    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read the items; version 1 has one, in other words."""
        if str(data.get("version") or "1") == "2" or isinstance(data.get("items"), list):
            self.items = [dict(item) for item in data.get("items") or ()]
            self.old = False
        else:
            self.old = True
            self.items = [{
                "variable_selector": data.get("assigned_variable_selector") or [],
                "operation": data.get("write_mode") or "over-write", "input_type": "variable",
                "value": data.get("input_variable_selector") or [],
            }]
        self.config = None if self.old else _config(data)

    def writes_any(self, selectors: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether one of its targets is among the selectors."""
        targets = {tuple(item.get("variable_selector") or ()) for item in self.items}
        return any(tuple(selector[:2]) in targets for selector in selectors)

    def steps(self, context: Context) -> Iterator[Any]:
        """Change the variables; yield VariableUpdated for those of the conversation."""
        pool = context.pool
        process: dict[str, Any] = {}
        updated: dict[tuple[str, ...], Any] = {}
        types: dict[tuple[str, ...], str] = {}
        inputs = self.config or {}
        try:
            for item in self.items:
                target = tuple(str(part) for part in item.get("variable_selector") or ())
                present = updated.get(target, pool.get(target))
                if present is MISSING or len(target) < 2:
                    raise NodeError(f"Variable {list(target)} not found", "VariableNotFoundError")
                kind = pool.type_of(*target[:2]) or type_name(present)
                if kind == "number":
                    kind = type_name(present)
                types[target] = kind
                value = self._apply(item, present, kind, pool, updated)
                if value is not MISSING:
                    updated[target] = value
        except NodeError as error:
            error.inputs = inputs
            raise
        records = []
        for target, value in updated.items():
            pool.set(target[0], target[1], value)
            process[target[1]] = value
            shown = types[target] if types[target] not in ("integer", "float") else type_name(pool.get(target))
            records.append({"name": target[1], "selector": list(target), "value_type": shown,
                            "new_value": jsonable(value)})
            if target[0] == "conversation":
                if context.ports.conversation is not None:
                    context.ports.conversation.save(target[1], jsonable(value))
                yield ev.VariableUpdated(target[1], jsonable(value))
        process["__updated_variables"] = records
        if self.old:
            source = pool.get(self.items[0]["value"])
            inputs = {"value": None if source is MISSING else source}
        return Result({}, inputs, process)

    def _apply(self, item: dict[str, Any], present: Any, kind: str, pool: Any, updated: dict) -> Any:
        """Return the new value, or MISSING to leave it."""
        operation = str(item.get("operation") or "")
        if operation not in _VARIABLE_ONLY and operation not in _ARITHMETIC and operation != "set":
            raise NodeError(f"Operation {operation} is not supported for type {kind}", "OperationNotSupportedError")
        wanted = "variable" if operation in _VARIABLE_ONLY else "constant"
        array = kind.startswith("array")
        if (operation in ("append", "extend", "remove-first", "remove-last") and not array) or (
                operation in _ARITHMETIC and kind not in ("number", "integer", "float")) or (
                operation == "set" and array):
            raise NodeError(f"Operation {operation} is not supported for type {kind}", "OperationNotSupportedError")
        if not self.old and item.get("input_type") != wanted:
            raise NodeError(f"Input type {item.get('input_type')} is not supported for operation {operation}",
                            "InputTypeNotSupportedError")
        if operation == "clear":
            return empty_of(kind)
        if operation == "remove-first":
            return present[1:] if present else []
        if operation == "remove-last":
            return present[:-1] if present else []
        value = item.get("value")
        if wanted == "variable":
            selector = tuple(value or ())
            value = updated.get(selector, pool.get(selector))
            if value is MISSING:
                raise NodeError(f"Variable {list(selector)} not found", "VariableNotFoundError")
            if value is None:
                return MISSING
        return _combine(operation, present, value, kind)


def _combine(operation: str, present: Any, value: Any, kind: str) -> Any:
    bad = NodeError(f"Invalid input value {value}", "InvalidInputValueError")
    if operation in ("over-write", "set"):
        if operation == "set" and kind == "object" and isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise NodeError(f"Invalid input value {value}", "InvalidDataError") from None
        if not fits("number" if kind in ("integer", "float") else kind, value):
            raise bad
        return value
    if operation in _ARITHMETIC:
        if isinstance(value, bool) or not isinstance(value, int | float) or (operation == "/=" and value == 0):
            raise bad
        if operation == "+=":
            return present + value
        if operation == "-=":
            return present - value
        if operation == "*=":
            return present * value
        return present / value
    inner = kind[6:-1]
    if operation == "append":
        if inner not in ("", "any") and not fits(inner, value):
            raise bad
        return [*present, value]
    if not isinstance(value, list) or (inner not in ("", "any") and not fits(kind, value)):
        raise bad
    return [*present, *value]


def _config(data: dict[str, Any]) -> dict[str, Any]:
    """Return the node's configuration as Dify records it as inputs."""
    retry = data.get("retry_config") or {}
    items = [{key: item.get(key) for key in ("variable_selector", "input_type", "operation", "value")}
             for item in data.get("items") or ()]
    known = {
        "type": data["type"], "title": data.get("title") or "", "desc": data.get("desc"),
        "version": str(data.get("version") or "1"), "error_strategy": data.get("error_strategy"),
        "default_value": data.get("default_value"),
        "retry_config": {
            "max_retries": retry.get("max_retries") or 0,
            "retry_interval": retry.get("retry_interval") or 0,
            "retry_enabled": bool(retry.get("retry_enabled")),
        },
        "items": items,
    }
    return known | {key: value for key, value in data.items() if key not in known}
