"""The service room's way to read requests: errors are worded as Dify's validation (pydantic's) words them.

Clients in the field show these texts and some match on them, so they are part of the wire contract.
"""

from __future__ import annotations

import codecs
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec
from flask import request

from sparrow.api.web import Room, invalid, read_body
from sparrow.errors import BadRequest, SparrowError
from sparrow.ids import canonical, is_uuid

# Fields with ids of this server, and those whose content is the caller's own, whatever it is called there.
_IDS = {"conversation_id", "parent_message_id", "first_id", "last_id", "workflow_id", "upload_file_id", "dataset_id",
        "document_id", "document_ids", "original_document_id", "tag_id", "tag_ids", "target_id", "knowledge_id",
        "external_knowledge_api_id", "attachment_ids", "id"}
_OWN = {"inputs", "value"}
_HELP = "https://errors.pydantic.dev/2.12/v/"
_TYPES = {str: ("string_type", "a valid string"), dict: ("dict_type", "a valid dictionary"),
          list: ("list_type", "a valid list"), bool: ("bool_type", "a valid boolean"),
          int: ("int_type", "a valid integer")}


class ServiceRoom(Room):
    """A room whose structs may set `needs_user` (a `user` must be there, of any type) and `uuids` (field names).

    With `knows_user` the caller is known otherwise, and no `user` is needed.
    """

    knows_user = False

    def decoder(self, body: Any, limit: int) -> Callable[[], Any]:
        """Return what reads a JSON body as a struct."""
        needs_user = getattr(body, "needs_user", False)

        def decode():
            data = read_body(limit).removeprefix(codecs.BOM_UTF8)  # which some clients of Windows put there
            if needs_user and not request.is_json:
                raise SparrowError("Did not attempt to load JSON data because the request Content-Type was not "
                                   "'application/json'.", code="unsupported_media_type", status=415)
            try:
                value = msgspec.json.decode(data or b"{}")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BadRequest(f"The body is not valid JSON: {error}", code="bad_request") from None
            if not isinstance(value, dict):
                raise BadRequest("The body must be a JSON object.", code="bad_request")
            if needs_user and not self.knows_user:
                if not value.get("user"):
                    raise BadRequest("Arg user must be provided.")
                value["user"] = str(value["user"])
            if self.knows_user:
                value.pop("user", None)
            return self.convert(value, body)

        return decode

    def places(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the parts of a path; a UUID may be in capitals."""
        return {name: canonical(value) for name, value in arguments.items()}

    def convert(self, values: dict[str, Any], target: Any) -> Any:
        """Return fields as a struct; raise BadRequest in pydantic's words.

        As pydantic does it, "5" is a number where one is wanted and "true" a truth, in bodies too; and as with
        Dify's database, a UUID may be in capitals.
        """
        values = with_canonical_ids(values)
        for name in getattr(target, "uuids", ()):
            value = values.get(name)
            if value == "" or value is None:
                values.pop(name, None)
            elif isinstance(value, str) and not is_uuid(value):
                raise _error(target, [(name, *_bad_uuid(target, name), value)])
        try:
            return msgspec.convert(values, target, strict=False)
        except msgspec.ValidationError as error:
            found = _problems(target, values)
            raise (_error(target, found) if found else invalid(error)) from None


def with_canonical_ids(value: Any, depth: int = 5) -> Any:
    """Return JSON with the ids of this server as they are stored; they stand no deeper than that."""
    if depth and isinstance(value, list):
        return [with_canonical_ids(item, depth - 1) for item in value]
    if not depth or not isinstance(value, dict):
        return value
    return {name: item if name in _OWN else _canonical(item) if name in _IDS else with_canonical_ids(item, depth - 1)
            for name, item in value.items()}


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [canonical(item) if isinstance(item, str) else item for item in value]
    return canonical(value) if isinstance(value, str) else value


def _problems(target: Any, values: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    """Return (field, kind, message, input) for each field that does not fit."""
    found = []
    hints = typing.get_type_hints(target, include_extras=True)
    for field in msgspec.structs.fields(target):
        if field.name not in values:
            if field.required:
                found.append((field.name, "missing", "Field required", values))
            continue
        value = values[field.name]
        try:
            msgspec.convert(value, hints[field.name], strict=False)
        except msgspec.ValidationError:
            found.append((field.name, *_expected(hints[field.name], value), value))
    return found


def _expected(hint: Any, value: Any) -> tuple[str, str]:
    bounds: list[Any] = []
    while typing.get_origin(hint) is typing.Annotated:
        bounds, hint = list(hint.__metadata__), typing.get_args(hint)[0]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = [option for option in typing.get_args(hint) if option is not type(None)] if union or typing.get_origin(
        hint) is typing.Literal else []
    if options and typing.get_origin(options[0]) is typing.Annotated:
        return _expected(options[0], value)
    if typing.get_origin(hint) is typing.Literal or (options and typing.get_origin(options[0]) is typing.Literal):
        words = [repr(word) for part in options for word in (typing.get_args(part) or (part,))]
        return "literal_error", "Input should be " + ", ".join(words[:-1]) + (" or " if words[1:] else "") + words[-1]
    for bound in bounds:
        if isinstance(value, str) and bound.min_length is not None and len(value) < bound.min_length:
            return "string_too_short", f"String should have at least {_characters(bound.min_length)}"
        if isinstance(value, str) and bound.max_length is not None and len(value) > bound.max_length:
            return "string_too_long", f"String should have at most {_characters(bound.max_length)}"
        if bound.ge is None and bound.le is None:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            return "int_parsing", "Input should be a valid integer, unable to parse string as an integer"
        if bound.ge is not None and number < bound.ge:
            return "greater_than_equal", f"Input should be greater than or equal to {bound.ge}"
        if bound.le is not None and number > bound.le:
            return "less_than_equal", f"Input should be less than or equal to {bound.le}"
    for option in options or [hint]:
        known = _TYPES.get(typing.get_origin(option) or option)
        if known:
            return known[0], f"Input should be {known[1]}"
    return "value_error", "Value error, this value does not fit"


def _characters(number: int) -> str:
    return f"{number} character{'' if number == 1 else 's'}"


def _bad_uuid(target: Any, name: str) -> tuple[str, str]:
    subject = f"{name} must" if getattr(target, "needs_user", False) else "must"
    return "value_error", f"Value error, {subject} be a valid UUID"


def _error(target: Any, found: list[tuple[str, str, str, Any]]) -> BadRequest:
    lines = [f"{len(found)} validation error{'s' if found[1:] else ''} for {target.__name__}"]
    for name, kind, message, value in found:
        shown = repr(value)
        if len(shown) > 50:
            shown = f"{shown[:25]}...{shown[-24:]}"
        lines += [name, f"  {message} [type={kind}, input_value={shown}, input_type={type(value).__name__}]",
                  f"    For further information visit {_HELP}{kind}"]
    return BadRequest("\n".join(line for line in lines if line))


def value_error(target: Any, message: str, values: dict[str, Any]) -> BadRequest:
    """Return the error of a check over several fields."""
    return _error(target, [("", "value_error", f"Value error, {message}", values)])
