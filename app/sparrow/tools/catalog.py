"""The tools that the admin has added: stored providers as tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import Row

from sparrow.engine.ports import PortError, ToolMessage
from sparrow.tools import openapi_call, store
from sparrow.tools.mcp import client, stdio
from sparrow.tools.openapi import Operation
from sparrow.tools.types import Parameter, Tool, Use, Workflows, failure

KINDS = ("api", "mcp", "workflow")
MAX_DEPTH = 5
_TYPES = {"number": "number", "integer": "number", "boolean": "boolean", "object": "object", "array": "array"}
_FIELDS = {"number": "number", "checkbox": "boolean", "select": "select", "file": "file", "file-list": "array",
           "json_object": "object"}


def tools_of(row: Row, workflows: Workflows | None) -> list[Tool]:
    """Return the tools of a stored provider; raise PortError for one that cannot be read any more."""
    if row.kind == "api":
        return [operation_tool(operation, store.secret(row)) for operation in store.document(row).operations]
    if row.kind == "mcp":
        return [mcp_tool(row, item) for item in row.config.get("tools") or []]
    return [workflow_tool(row, workflows)]


def operation_tool(operation: Operation, auth: dict[str, Any]) -> Tool:
    """Return an operation of a document as a tool."""
    label = {"en_US": operation.name, "zh_Hans": operation.name}
    return Tool(operation.name, label, operation.summary, operation.parameters,
                lambda values, use: openapi_call.call(operation, values, auth, use))


def server(row: Row) -> client.Server:
    """Return how to reach a stored MCP server; raise PortError for a program that is configured no more."""
    config, secret = row.config, store.secret(row)
    times = {"timeout": float(config.get("timeout") or 30), "read_timeout": float(config.get("read_timeout") or 300)}
    if config["transport"] == "stdio":
        found = stdio.configured().get(config.get("program") or "")
        if found is None:
            raise failure(f"The program “{config.get('program')}” is not in mcp.json of this box.")
        return client.Server(row.name, "stdio", command=found.command, environment=found.environment, **times)
    return client.Server(row.name, config["transport"], secret.get("url") or "", secret.get("headers") or {}, **times)


def mcp_tool(row: Row, item: dict[str, Any]) -> Tool:
    """Return a tool of an MCP server, as it was listed last."""
    schema = item.get("inputSchema") or {}
    properties = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    needed = schema.get("required") if isinstance(schema.get("required"), list) else []
    label = item.get("title") or item["name"]
    defined = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    return Tool(
        item["name"], {"en_US": label, "zh_Hans": label}, item.get("description") or label,
        tuple(_property(name, rule if isinstance(rule, dict) else {}, name in needed, defined)
              for name, rule in properties.items()),
        lambda values, use: client.call(server(row), item["name"], {
            name: value for name, value in values.items() if value is not None}, use),
        item.get("outputSchema"))


def _property(name: str, rule: dict[str, Any], required: bool, defined: dict[str, Any]) -> Parameter:
    kind = rule.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "string")
    enum = rule.get("enum")
    options = tuple(map(str, enum)) if isinstance(enum, list) and kind in ("string", None) else ()
    return Parameter(name, str(rule.get("description") or ""),
                     "select" if options else _TYPES.get(str(kind), "string"), required, rule.get("default"),
                     options=options, schema={**rule, **defined} if "$ref" in str(rule) else rule)


def workflow_tool(row: Row, workflows: Workflows | None) -> Tool:
    """Return an app of this box as a tool; its parameters are those of the published version."""
    config = row.config
    label = config.get("label") or row.identifier
    stored = {item["name"]: item for item in config.get("parameters") or []}
    fields = workflows.parameters(row.app_id) if workflows is not None else []
    return Tool(
        row.identifier, {"en_US": label, "zh_Hans": label}, config.get("description") or label,
        tuple(_field(item, stored.get(item["variable"]) or {}) for item in fields),
        lambda values, use: _run(row.app_id, {
            name: value for name, value in values.items() if value is not None}, use))


def _field(item: dict[str, Any], stored: dict[str, Any]) -> Parameter:
    kind = _FIELDS.get(str(item.get("type")), "string")
    options = tuple(map(str, item.get("options") or ())) if kind == "select" else ()
    return Parameter(item["variable"], stored.get("description") or item.get("label") or item["variable"], kind,
                     item.get("required") is True, item.get("default"), stored.get("form") == "form", options,
                     zh=str(item.get("label") or ""))


def _run(app_id: str, inputs: dict[str, Any], use: Use) -> Iterator[ToolMessage]:
    import json

    if use.workflows is None:
        raise PortError("Workflows cannot be run here.", "ToolInvokeError")
    if use.depth > MAX_DEPTH:
        raise failure(f"Workflows call each other more than {MAX_DEPTH} deep.")
    outputs = use.workflows.run(app_id, inputs, user=use.user, depth=use.depth, cancel=use.cancel)
    files = _files(outputs)
    for file in files:
        yield ToolMessage("file", file)
    yield ToolMessage("text", json.dumps(outputs, ensure_ascii=False))
    yield ToolMessage("json", outputs, hidden=True)
    for name, value in outputs.items():
        if name not in ("text", "json", "files"):
            yield ToolMessage("variable", value, name=name, hidden=True)


def _files(value: Any) -> list[Any]:
    from sparrow.engine.files import IDENTITY, File

    if isinstance(value, dict):
        if value.get("dify_model_identity") == IDENTITY:
            return [File.from_dict(value)]
        value = list(value.values())
    return [file for item in value for file in _files(item)] if isinstance(value, list) else []
