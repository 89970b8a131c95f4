"""Environment and conversation variables: a name, a type and a value that fits it."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.errors import BadRequest

MAX_SIZE = 200 * 1024

_ELEMENTS = {"array[string]": (str,), "array[number]": (int, float), "array[object]": (dict,),
             "array[boolean]": (bool,), "array[any]": (object,)}
_SCALARS = {"string": (str,), "secret": (str,), "number": (int, float), "integer": (int,), "float": (int, float),
            "boolean": (bool,), "object": (dict,)}


def check(variable: Any, place: str) -> None:
    """Raise BadRequest that names the variable and what is wrong with it."""
    if not isinstance(variable, dict):
        raise BadRequest(f"{place}: must be a mapping", params=place)
    name, kind, value = variable.get("name"), variable.get("value_type"), variable.get("value")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"missing name ({place})", params=f"{place}.name")
    if not isinstance(kind, str) or not kind:
        raise BadRequest(f"missing value type ({place}, '{name[:60]}')", params=f"{place}.value_type")
    if value is None:
        raise BadRequest(f"missing value ({place}, '{name[:60]}')", params=f"{place}.value")
    if not fits(kind, value):
        number = kind in ("number", "integer", "float")
        kind = "number" if number else kind[:40]
        raise BadRequest(f"invalid {kind} value {str(value)[:60]} ({place}, '{name[:60]}')", params=f"{place}.value")
    if len(msgspec.json.encode(value)) > MAX_SIZE:
        raise BadRequest(f"{place}: the value of '{name[:60]}' is larger than {MAX_SIZE // 1024} KiB",
                         params=f"{place}.value")


def fits(kind: str, value: Any) -> bool:
    """Tell whether a value has a type; an unknown type fits nothing."""
    if kind in _ELEMENTS:
        return isinstance(value, list) and all(_is(item, _ELEMENTS[kind]) for item in value)
    return kind in _SCALARS and _is(value, _SCALARS[kind])


def _is(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool) and bool not in types and object not in types:
        return False
    return isinstance(value, types)
