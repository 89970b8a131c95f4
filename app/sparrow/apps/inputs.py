"""The form of an app: which inputs it takes, and whether those given fit. Messages are worded as Dify words them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sparrow.errors import BadRequest

_TEXT = ("text-input", "select", "paragraph")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def fields_of_config(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a model_config's user_input_form, each with its `type`."""
    found = []
    for item in config.get("user_input_form") or []:
        for kind, control in item.items():
            if kind != "external_data_tool" and _is_field(control):
                found.append({**control, "type": kind})
    return found


def fields_of_graph(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a graph's start node."""
    for node in graph.get("nodes") or []:
        data = node.get("data") or {}
        if data.get("type") == "start":
            found = data.get("variables")
            return [field for field in (found if isinstance(found, list) else ())
                    if _is_field(field) and field.get("type") != "external_data_tool"]
    return []


def _is_field(field: Any) -> bool:
    """Tell whether a file's entry can be a field; what cannot is left out, as an unknown key would be."""
    return isinstance(field, dict) and isinstance(field.get("variable"), str) and bool(field["variable"]) \
        and isinstance(field.get("type"), str | None)


def form(fields: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return fields as a user_input_form: one single-key object each."""
    return [{field.get("type") or "text-input": field} for field in fields]


def check(fields: Iterable[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all fields, converted; inputs that no field names are dropped. Raise BadRequest."""
    return {field["variable"]: _value(field, given.get(field["variable"])) for field in fields}


def _value(field: dict[str, Any], value: Any) -> Any:
    name, kind = field["variable"], field.get("type") or "text-input"
    if value is None:
        if field.get("required"):
            raise _bad(name, f"{name} is required in input form")
        value = field.get("default")
        if value is None or (value == "" and kind not in ("text-input", "paragraph")):
            return None if value is None or kind == "number" or kind == "select" else value
    if kind in _TEXT and not isinstance(value, str):
        raise _bad(name, f"(type '{kind}') {name} in input form must be a string")
    if kind == "number":
        return _number(name, value)
    if kind == "select":
        options = field.get("options") if isinstance(field.get("options"), list) else []
        if value not in options:
            raise _bad(name, f"{name} in input form must be one of the following: {options}")
    elif kind in _TEXT:
        limit = field.get("max_length")
        if isinstance(limit, int) and limit > 0 and len(value) > limit:
            raise _bad(name, f"{name} in input form must be less than {limit} characters")
        value = value.replace("\x00", "")
    elif kind == "checkbox":
        return _checkbox(value)
    elif kind == "file":
        if value == "" or value == {}:
            return None
        if not isinstance(value, dict):
            raise _bad(name, f"{name} in input form must be a file")
    elif kind == "file-list":
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _bad(name, f"{name} in input form must be a list of files")
        limit = field.get("max_length")
        if isinstance(limit, int) and limit > 0 and len(value) > limit:
            raise _bad(name, f"{name} in input form must be less than {limit} files")
    elif kind == "json_object":
        if value == "":
            return None
        if not isinstance(value, dict):
            raise _bad(name, f"{name} in input form must be a dict")
    return value


def _number(name: str, value: Any) -> int | float | bool | None:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        raise _bad(name, f"{name} in input form must be a valid number")
    if not value.strip():
        return None
    try:
        number = float(value) if "." in value or "e" in value.lower() else int(value)
    except ValueError:
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        raise _bad(name, f"{name} in input form must be a valid number")
    return number


def _checkbox(value: Any) -> Any:
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if isinstance(value, int | float):
        return {0: False, 1: True}.get(value, value)
    return value


def _bad(name: str, message: str) -> BadRequest:
    # Dify names the field in the text only; an extra `params` key would be one its clients never see.
    return BadRequest(message)
