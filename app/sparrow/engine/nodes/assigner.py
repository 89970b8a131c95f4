"""The variable assigner, versions 1 and 2: changes conversation, loop and other variables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sparrow.engine import events as ev
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.pool import Pool
from sparrow.engine.values import MISSING, empty_of, fits, jsonable, type_name

_ARITHMETIC = frozenset(("+=", "-=", "*=", "/="))
_ARRAY = frozenset(("append", "extend", "remove-first", "remove-last"))
_NO_VALUE = frozenset(("clear", "remove-first", "remove-last"))
_ITEMS: dict[str, tuple[type, ...]] = {"number": (int, float), "any": (str, int, float, dict)}  # no list in a list
_OPERATIONS = _ARITHMETIC | _ARRAY | _NO_VALUE | {"set", "over-write"}


class Assigner(Node):
    """Applies its items in order; each sees what the earlier ones did."""

    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read the items; version 1 has one, in other words."""
        self.old = str(data.get("version") or "1") != "2" and not isinstance(data.get("items"), list)
        if self.old:
            self.items = [{
                "variable_selector": data.get("assigned_variable_selector") or [],
                "operation": data.get("write_mode") or "over-write",
                "value": data.get("input_variable_selector") or [],
            }]
        else:
            self.items = [dict(item) for item in data.get("items") or ()]
            self.config = _config(data)
        for item in self.items:
            if item["operation"] not in _OPERATIONS:
                raise ValueError(f"Unsupported operation: {item['operation']}")

    def writes_any(self, selectors: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether one of its targets is among the selectors."""
        targets = {tuple(map(str, item.get("variable_selector") or ())) for item in self.items}
        return any(tuple(selector[:2]) in targets for selector in selectors)

    def steps(self, context: Context) -> Iterator[Any]:
        """Change the variables; yield VariableUpdated for those of the conversation."""
        pool = context.pool
        updated: dict[tuple[str, ...], Any] = {}
        types: dict[tuple[str, ...], str] = {}
        if self.old:
            inputs: dict[str, Any] = {"value": self._apply_old(pool, updated, types)}
        else:
            inputs = self.config
            try:
                for item in self.items:
                    self._apply(item, pool, updated, types)
            except NodeError as error:
                error.inputs = inputs
                raise
        process: dict[str, Any] = {}
        records = []
        for target, value in updated.items():
            pool.set(target[0], target[1], value)
            if not self.old:
                process[target[1]] = value
            shown = types[target] if types[target] not in ("integer", "float") else type_name(value)
            records.append({"name": target[1], "selector": list(target), "value_type": shown,
                            "new_value": jsonable(value)})
            if target[0] == "conversation":
                if context.ports.conversation is not None:
                    context.ports.conversation.save(target[1], jsonable(value))
                yield ev.VariableUpdated(target[1], jsonable(value))
        process["__updated_variables"] = records
        return Result({}, inputs, process)

    def _apply_old(self, pool: Pool, updated: dict, types: dict) -> Any:
        """Do what version 1 says, which checks no types; return what it took."""
        item = self.items[0]
        target, operation = tuple(item["variable_selector"]), item["operation"]
        present = pool.get(target) if len(target) == 2 else MISSING
        if present is MISSING:
            raise NodeError("assigned variable not found")
        types[target] = pool.type_of(*target) or type_name(present)
        value = empty_of(types[target]) if operation == "clear" else pool.get(item["value"])
        if value is MISSING:
            raise NodeError("input value not found")
        updated[target] = [*present, value] if operation == "append" else value
        return value

    def _apply(self, item: dict[str, Any], pool: Pool, updated: dict, types: dict) -> None:
        """Do what one item of version 2 says; a source that is null changes nothing."""
        operation, by_variable = item["operation"], item.get("input_type") == "variable"
        target = tuple(str(part) for part in item.get("variable_selector") or ())
        present = updated.get(target, pool.get(target)) if len(target) == 2 else MISSING
        if present is MISSING:
            raise NodeError(f"Variable {list(target)} not found", "")
        kind = pool.type_of(*target) or type_name(present)
        if kind == "number":
            kind = type_name(present)
        types[target] = kind
        if not _supports(kind, operation):
            raise NodeError(f"Operation {operation} is not supported for type {kind}", "")
        if operation in ("set", *_ARITHMETIC) if by_variable else not _takes_constant(kind, operation):
            raise NodeError(f"Input type {item.get('input_type')} is not supported for operation {operation}", "")
        value = item.get("value")
        if by_variable and operation not in _NO_VALUE and value is not None:
            selector = tuple(value)
            value = updated.get(selector, pool.get(selector))
            if value is MISSING:
                raise NodeError(f"Variable {list(selector)} not found", "")
            if value is None:
                return
        updated[target] = _combine(operation, present, value, kind)


def _supports(kind: str, operation: str) -> bool:
    if operation in _ARRAY:
        return kind.startswith("array")
    if operation in _ARITHMETIC:
        return kind in ("integer", "float")
    return operation != "set" or kind in ("string", "integer", "float", "boolean", "object")


def _takes_constant(kind: str, operation: str) -> bool:
    return kind in ("string", "object", "boolean", "integer", "float") and (
        operation in ("over-write", "set", *_ARITHMETIC))


def _combine(operation: str, present: Any, value: Any, kind: str) -> Any:
    """Return the new value of a variable."""
    if operation == "clear":
        return empty_of(kind)
    if operation == "remove-first":
        return present[1:]
    if operation == "remove-last":
        return present[:-1]
    if operation == "set" and kind == "object" and isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise NodeError(f"Invalid input value {value}", "") from None
    if not _fits(operation, value, kind):
        raise NodeError(f"Invalid input value {value}", "")
    match operation:
        case "append":
            return [*present, value]
        case "extend":
            return [*present, *value]
        case "+=":
            return present + value
        case "-=":
            return present - value
        case "*=":
            return present * value
        case "/=":
            return present / value
    return value


def _fits(operation: str, value: Any, kind: str) -> bool:
    """Tell whether an operation can take a value; true and false pass as numbers, as in Dify."""
    if kind in ("integer", "float"):
        return isinstance(value, int | float) and not (operation == "/=" and value == 0)
    if not kind.startswith("array"):
        return fits(kind, value)
    items = [value] if operation == "append" else value
    inner = kind[6:-1]
    kinds = _ITEMS.get(inner)
    return isinstance(items, list) and all(isinstance(item, kinds) if kinds else fits(inner, item) for item in items)


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
