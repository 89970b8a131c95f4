"""The OpenAPI 3.1 document, made from the routes' types."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec
from flask import Response

from sparrow import __version__
from sparrow.api.web import JSON, Operation, Room

_REFERENCE = "#/components/schemas/{name}"


class Error(msgspec.Struct):
    """What every refused request gets."""

    code: str
    message: str
    status: int
    params: str | None = None


def document(title: str, rooms: list[Room], security: dict[str, Any]) -> dict[str, Any]:
    """Return the document of some rooms. `security` is one OpenAPI security scheme object."""
    operations = [operation for room in rooms for operation in room.operations]
    types: list[Any] = [Error]
    for operation in operations:
        types += [kind for kind in (operation.body, operation.query, operation.form, operation.returns,
                               operation.refused)
                  if _has_schema(kind)]
    unique = list({repr(kind): kind for kind in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE)
    schema_of = {repr(kind): schema for kind, schema in zip(unique, schemas, strict=True)}
    paths: dict[str, Any] = {}
    names: Counter[str] = Counter()
    for operation in operations:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", operation.path)
        described = _describe(operation, schema_of, components)
        name = operation.function.__name__
        names[name] += 1  # a route with two spellings is two operations, and their ids must differ
        described["operationId"] = name if names[name] == 1 else f"{name}_{names[name]}"
        paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components, "securitySchemes": {"key": security}},
        "security": [{"key": []}],
    }


def _describe(operation: Operation, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                       for name in operation.path_parameters],
        "responses": {str(operation.status): _response(operation, schema_of), "default": {
            "description": "The request was refused.",
            "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name="Error")}}}}},
    }
    if operation.refused is not None:
        described["responses"]["400"] = described["responses"]["default"] = {
            "description": "The request was refused.", "content": {JSON: {"schema": {
                "anyOf": [_schema(operation.refused, schema_of), {"$ref": _REFERENCE.format(name="Error")}]}}}}
    if operation.public:
        described["security"] = []
    if operation.query is not None:
        schema = _resolve(schema_of[repr(operation.query)], components)
        described["parameters"] += [
            {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": property_}
            for name, property_ in schema.get("properties", {}).items()]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _schema(operation.body, schema_of)}}}
    elif operation.files or operation.form is not None:
        form = _resolve(schema_of[repr(operation.form)], components) if operation.form is not None else {}
        described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": {
            "type": "object",
            "properties": {**form.get("properties", {}),
                           **{name: {"type": "string", "format": "binary"} for name in operation.files}},
            "required": [*form.get("required", ()), *operation.files]}}}}
    return described


def _response(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    if operation.stream:
        content: dict[str, Any] = {"text/event-stream": {}}
        if _has_schema(operation.returns):
            content[JSON] = {"schema": _schema(operation.returns, schema_of)}
        return {"description": "Server-sent events, or the whole reply.", "content": content}
    if operation.returns is Response:
        return {"description": "The bytes.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
    if operation.returns in (None, type(None)):
        return {"description": "Done."}
    return {"description": "Done.", "content": {JSON: {"schema": _schema(operation.returns, schema_of)}}}


def _has_schema(kind: Any) -> bool:
    return kind not in (None, type(None), Response)


def _schema(kind: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    return schema_of.get(repr(kind), {})


def _resolve(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return components[reference.rsplit("/", 1)[1]] if reference else schema
