"""Values of variables: plain Python (str, int, float, bool, None, dict, list) and File, with Dify's text forms."""

from __future__ import annotations

import json
from typing import Any

from sparrow.engine.files import File, is_file_dict


class Missing:
    """The absence of a value: unknown selector, skipped node. (None is a value.)"""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing()

_PLAIN = (str, int, float, bool, type(None))


def jsonable(value: Any) -> Any:
    """Return the value with files as dictionaries; the same object when there are none in it."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, File):
        return value.to_dict()
    if isinstance(value, dict):
        copy = None
        for key, item in value.items():
            new = item if isinstance(item, _PLAIN) else jsonable(item)
            if new is not item:
                copy = dict(value) if copy is None else copy
                copy[key] = new
        return value if copy is None else copy
    if isinstance(value, list | tuple):
        new_items = [item if isinstance(item, _PLAIN) else jsonable(item) for item in value]
        if isinstance(value, tuple) or any(a is not b for a, b in zip(new_items, value, strict=True)):
            return new_items
        return value
    if value is MISSING:
        return None
    return str(value)


def revive(value: Any) -> Any:
    """Return the value with file dictionaries turned back into files."""
    if isinstance(value, dict):
        if is_file_dict(value):
            return File.from_dict(value)
        return {key: revive(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revive(item) for item in value]
    return value


def files_in(value: Any) -> list[dict[str, Any]]:
    """Return the JSON forms of files among an outputs object's values: a file, a list of files, nested ones."""
    found: list[dict[str, Any]] = []
    for item in value.values() if isinstance(value, dict) else ():
        if isinstance(item, _PLAIN):
            continue
        if is_file_dict(item):
            found.append(item)
        elif isinstance(item, list):
            found.extend(entry for entry in item if is_file_dict(entry))
    return found


def type_name(value: Any) -> str:
    """Return the internal type name Dify shows: integer, float, array[string]…"""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, File):
        return "file"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return f"array[{_item_type(value)}]"
    return "any"


def _item_type(items: list[Any]) -> str:
    """Return the common type of a list's items: string, number, object, boolean, file or any."""
    if not items:
        return "any"
    kinds = set()
    for item in items:
        name = type_name(item)
        kinds.add("number" if name in ("integer", "float") else name)
        if len(kinds) > 1:
            return "any"
    kind = kinds.pop()
    return kind if kind in ("string", "number", "object", "boolean", "file") else "any"


def compact(value: Any) -> str:
    """Return JSON on one line, characters beyond ASCII as they are."""
    return json.dumps(jsonable(value), ensure_ascii=False, default=str)


def text(value: Any) -> str:
    """Return the text a value becomes inside prompts, URLs, conditions."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING or isinstance(value, File):
        return ""
    if isinstance(value, dict):
        return compact(value)
    if isinstance(value, list):
        if not value:
            return ""
        kind = _item_type(value)
        if kind == "string":
            return compact(value)
        return "" if kind == "file" else str(jsonable(value))
    return str(value)


def markdown(value: Any) -> str:
    """Return the Markdown a value becomes in answers: pretty JSON, bullet lists, links and images for files."""
    if isinstance(value, str):
        return value
    if isinstance(value, File):
        return value.markdown()
    if isinstance(value, dict):
        return json.dumps(jsonable(value), ensure_ascii=False, indent=2, default=str)
    if isinstance(value, list):
        if value and all(isinstance(item, File) for item in value):
            return "\n".join(item.markdown() for item in value)
        return "\n".join(f"- {jsonable(item)}" for item in value)
    return text(value)


_EMPTY: dict[str, Any] = {"string": "", "secret": "", "number": 0, "integer": 0, "float": 0.0, "boolean": False}


def empty_of(kind: str) -> Any:
    """Return the empty value of a declared type."""
    if kind.startswith("array"):
        return []
    if kind == "object":
        return {}
    return _EMPTY.get(kind)


def fits(kind: str, value: Any) -> bool:
    """Tell whether a value may be stored in a variable declared as `kind`."""
    match kind:
        case "string" | "secret":
            return isinstance(value, str)
        case "number" | "integer" | "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "file":
            return isinstance(value, File)
        case "array" | "array[any]":
            return isinstance(value, list)
        case "array[string]" | "array[number]" | "array[object]" | "array[boolean]" | "array[file]":
            return isinstance(value, list) and all(fits(kind[6:-1], item) for item in value)
        case _:
            return True
