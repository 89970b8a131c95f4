"""JSON schema, draft 7: the first thing that is wrong with a value, in the words Dify's clients know.

Those are the words of Python's jsonschema, which brings a Rust library along; what start variables need of it is this.
`format` says nothing, as there, and `$ref` leads to places of the same schema only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any


def problem(schema: Any, value: Any) -> str | None:
    """Return what is wrong with a value, None if it fits; raise ValueError for a schema that is none.

    The schema may be JSON text.
    """
    try:
        if isinstance(schema, str):
            schema = json.loads(schema)
        return next(_errors(schema, value, schema), None)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, re.error, RecursionError) as error:
        raise ValueError(f"Invalid JSON schema: {error}") from error


def _errors(schema: Any, value: Any, root: Any) -> Iterator[str]:
    if schema is True:
        return
    if schema is False:
        yield f"False schema does not allow {value!r}"
        return
    keywords = {"$ref": schema["$ref"]} if "$ref" in schema else schema  # draft 7: what stands beside it is ignored
    for name, given in keywords.items():
        check = _KEYWORDS.get(name)
        if check is not None:
            yield from check(given, value, schema, root)


def _fits(schema: Any, value: Any, root: Any) -> bool:
    return next(_errors(schema, value, root), None) is None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict), "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str), "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None, "number": _number,
    "integer": lambda value: _number(value) and (isinstance(value, int) or value.is_integer())}


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _ref(given, value, schema, root):
    place = root
    if given != "#":
        head, *steps = given.split("/")
        if head != "#":
            raise KeyError(given)
        for step in steps:
            step = step.replace("~1", "/").replace("~0", "~")
            place = place[int(step)] if isinstance(place, list) else place[step]
    yield from _errors(place, value, root)


def _type(given, value, schema, root):
    kinds = [given] if isinstance(given, str) else given
    if not any(_TYPES[kind](value) for kind in kinds):
        yield f"{value!r} is not of type {', '.join(map(repr, kinds))}"


def _enum(given, value, schema, root):
    if not any(_same(value, item) for item in given):
        yield f"{value!r} is not one of {given!r}"


def _const(given, value, schema, root):
    if not _same(value, given):
        yield f"{given!r} was expected"


def _properties(given, value, schema, root):
    if isinstance(value, dict):
        for name, part in given.items():
            if name in value:
                yield from _errors(part, value[name], root)


def _pattern_properties(given, value, schema, root):
    if isinstance(value, dict):
        for pattern, part in given.items():
            for name, item in value.items():
                if re.search(pattern, name):
                    yield from _errors(part, item, root)


def _additional(given, value, schema, root):
    if not isinstance(value, dict):
        return
    patterns = schema.get("patternProperties") or {}
    extra = [name for name in value if name not in (schema.get("properties") or {})
             and not any(re.search(pattern, name) for pattern in patterns)]
    if isinstance(given, dict):
        for name in extra:
            yield from _errors(given, value[name], root)
    elif not given and extra:
        names, verb = ", ".join(map(repr, sorted(extra))), "was" if len(extra) == 1 else "were"
        if patterns:
            verb = "does" if len(extra) == 1 else "do"
            yield f"{names} {verb} not match any of the regexes: {', '.join(map(repr, sorted(patterns)))}"
        else:
            yield f"Additional properties are not allowed ({names} {verb} unexpected)"


def _names(given, value, schema, root):
    if isinstance(value, dict):
        for name in value:
            yield from _errors(given, name, root)


def _required(given, value, schema, root):
    if isinstance(value, dict):
        yield from (f"{name!r} is a required property" for name in given if name not in value)


def _dependencies(given, value, schema, root):
    if isinstance(value, dict):
        for name, part in given.items():
            if name in value and isinstance(part, list):
                yield from (f"{other!r} is a dependency of {name!r}" for other in part if other not in value)
            elif name in value:
                yield from _errors(part, value, root)


def _items(given, value, schema, root):
    if isinstance(value, list):
        for part, item in zip(given, value, strict=False) if isinstance(given, list) else ((given, i) for i in value):
            yield from _errors(part, item, root)


def _additional_items(given, value, schema, root):
    listed = schema.get("items")
    if isinstance(value, list) and isinstance(listed, list):
        extra = value[len(listed):]
        if isinstance(given, dict):
            for item in extra:
                yield from _errors(given, item, root)
        elif not given and extra:
            verb = "was" if len(extra) == 1 else "were"
            yield f"Additional items are not allowed ({', '.join(map(repr, extra))} {verb} unexpected)"


def _contains(given, value, schema, root):
    if isinstance(value, list) and not any(_fits(given, item, root) for item in value):
        yield f"None of {value!r} are valid under the given schema"


def _unique(given, value, schema, root):
    if given and isinstance(value, list) and any(
            _same(one, other) for place, one in enumerate(value) for other in value[:place]):
        yield f"{value!r} has non-unique elements"


def _bound(kind: type, few: bool, empty: str, otherwise: str):
    """Return a check of how many characters, items or properties there are."""
    def check(given, value, schema, root):
        if isinstance(value, kind) and (len(value) < given if few else len(value) > given):
            yield f"{value!r} {empty if given == int(few) else otherwise}"
    return check


def _limit(wrong: Callable[[Any, Any], bool], words: str):
    def check(given, value, schema, root):
        if _number(value) and wrong(value, given):
            yield f"{value!r} is {words} of {given!r}"
    return check


def _multiple(given, value, schema, root):
    if _number(value) and (value / given != int(value / given) if isinstance(given, float) else value % given):
        yield f"{value!r} is not a multiple of {given!r}"


def _pattern(given, value, schema, root):
    if isinstance(value, str) and not re.search(given, value):
        yield f"{value!r} does not match {given!r}"


def _all(given, value, schema, root):
    for part in given:
        yield from _errors(part, value, root)


def _any(given, value, schema, root):
    if not any(_fits(part, value, root) for part in given):
        yield f"{value!r} is not valid under any of the given schemas"


def _one(given, value, schema, root):
    fitting = [part for part in given if _fits(part, value, root)]
    if not fitting:
        yield f"{value!r} is not valid under any of the given schemas"
    elif len(fitting) > 1:
        yield f"{value!r} is valid under each of {', '.join(map(repr, [*fitting[1:], fitting[0]]))}"


def _not(given, value, schema, root):
    if _fits(given, value, root):
        yield f"{value!r} should not be valid under {given!r}"


def _if(given, value, schema, root):
    branch = "then" if _fits(given, value, root) else "else"
    if branch in schema:
        yield from _errors(schema[branch], value, root)


_KEYWORDS: dict[str, Callable[[Any, Any, Any, Any], Iterator[str]]] = {
    "$ref": _ref, "type": _type, "enum": _enum, "const": _const, "properties": _properties,
    "patternProperties": _pattern_properties, "additionalProperties": _additional, "propertyNames": _names,
    "required": _required, "dependencies": _dependencies, "items": _items, "additionalItems": _additional_items,
    "contains": _contains, "uniqueItems": _unique, "pattern": _pattern, "multipleOf": _multiple,
    "minLength": _bound(str, True, "should be non-empty", "is too short"),
    "maxLength": _bound(str, False, "is expected to be empty", "is too long"),
    "minItems": _bound(list, True, "should be non-empty", "is too short"),
    "maxItems": _bound(list, False, "is expected to be empty", "is too long"),
    "minProperties": _bound(dict, True, "should be non-empty", "does not have enough properties"),
    "maxProperties": _bound(dict, False, "is expected to be empty", "has too many properties"),
    "minimum": _limit(lambda value, given: value < given, "less than the minimum"),
    "maximum": _limit(lambda value, given: value > given, "greater than the maximum"),
    "exclusiveMinimum": _limit(lambda value, given: value <= given, "less than or equal to the minimum"),
    "exclusiveMaximum": _limit(lambda value, given: value >= given, "greater than or equal to the maximum"),
    "allOf": _all, "anyOf": _any, "oneOf": _one, "not": _not, "if": _if}
