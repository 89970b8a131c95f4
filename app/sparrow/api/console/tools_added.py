"""Tools that the admin adds: OpenAPI documents, MCP servers, workflows of this box."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sparrow.api.console import console
from sparrow.api.console.tools import TAG, TestedTool, ToolDetail, ToolProvider, detail, stored, tried
from sparrow.api.web import OK, Result
from sparrow.apps import toolbox
from sparrow.tools import catalog, openapi


class ApiCredentials(msgspec.Struct):
    """How calls of a document's operations are authorised, as Dify has it."""

    auth_type: Literal["none", "api_key_header", "api_key_query"] = "none"
    api_key_header: str = "Authorization"
    api_key_header_prefix: Literal["basic", "bearer", "custom"] = "bearer"
    api_key_query_param: str = "key"
    api_key_value: str = ""


class ReadDocument(msgspec.Struct):
    """A document as text, or its address. `base_url` replaces the document's servers."""

    schema: str = ""
    url: str = ""
    base_url: str = ""


class DocumentRead(msgspec.Struct):
    """What a document offers."""

    schema: str
    schema_type: str
    title: str
    description: str
    base_url: str
    tools: list[ToolDetail]
    warnings: list[str]


class SaveApiTool(msgspec.Struct):
    """A document to store; a masked key stays as it was. `source` is the address the document came from."""

    name: str
    schema: str
    credentials: ApiCredentials = msgspec.field(default_factory=ApiCredentials)
    description: str = ""
    icon: Any = None
    base_url: str = ""
    source: str = ""
    privacy_policy: str = ""
    labels: list[str] = []


class ApiTool(msgspec.Struct):
    """A stored document; its key is masked."""

    id: str
    name: str
    schema: str
    credentials: dict[str, Any]
    description: str
    icon: Any
    base_url: str
    source: str
    privacy_policy: str
    labels: list[str]
    provider: ToolProvider


class TestApiTool(msgspec.Struct):
    """A call to try of a document that need not be stored; with `provider_id` a masked key is the stored one."""

    schema: str
    tool_name: str
    parameters: dict[str, Any] = {}
    credentials: ApiCredentials = msgspec.field(default_factory=ApiCredentials)
    base_url: str = ""
    source: str = ""
    provider_id: str | None = None


class SaveMcpTool(msgspec.Struct):
    """An MCP server; masked values stay as they were. Times in seconds. `program` names one of config/mcp.json."""

    name: str
    server_identifier: str
    server_url: str = ""
    transport: Literal["auto", "streamable_http", "sse", "stdio"] = "auto"
    headers: dict[str, str] = {}
    program: str = ""
    timeout: float = 30.0
    read_timeout: float = 300.0
    icon: Any = None


class McpTool(msgspec.Struct):
    """A stored MCP server; the query of its address and the values of its headers are masked."""

    id: str
    name: str
    server_identifier: str
    server_url: str
    transport: str
    headers: dict[str, str]
    program: str
    timeout: float
    read_timeout: float
    icon: Any
    updated_at: int
    provider: ToolProvider


class Programs(msgspec.Struct):
    """Names."""

    data: list[str]


class WorkflowParameter(msgspec.Struct):
    """An input of the workflow: `form` llm (the model fills it in) or form (the author does)."""

    name: str
    description: str = ""
    form: Literal["llm", "form"] = "llm"


class SaveWorkflowTool(msgspec.Struct):
    """A published workflow as a tool."""

    workflow_app_id: str
    name: str
    label: str = ""
    description: str = ""
    icon: Any = None
    parameters: list[WorkflowParameter] = []
    labels: list[str] = []


class WorkflowTool(msgspec.Struct):
    """A stored workflow tool."""

    id: str
    workflow_app_id: str
    name: str
    label: str
    description: str
    icon: Any
    parameters: list[WorkflowParameter]
    labels: list[str]
    provider: ToolProvider


@console.post("/tool-providers/api/schema", tag=TAG)
def read_document(body: ReadDocument) -> DocumentRead:
    """Read an OpenAPI document and list its operations; nothing is stored."""
    text = body.schema or toolbox.fetch(body.url)
    found = toolbox.read(text, body.base_url, body.url if not body.schema else "")
    return DocumentRead(text, found.kind, found.title, found.description, found.base_url,
                        [_operation(operation) for operation in found.operations], list(found.warnings))


@console.post("/tool-providers/api/test", tag=TAG)
def test_api_tool(body: TestApiTool) -> TestedTool:
    """Call one operation of a document once."""
    return tried(lambda: toolbox.try_api(
        schema=body.schema, auth=msgspec.to_builtins(body.credentials), tool_name=body.tool_name,
        parameters=body.parameters, base_url=body.base_url, source=body.source, provider_id=body.provider_id))


@console.post("/tool-providers/api", status=201, tag=TAG)
def add_api_tool(body: SaveApiTool) -> ApiTool:
    """Store an OpenAPI document; each operation is a tool."""
    return _api(_save_api(None, body))


@console.get("/tool-providers/api/<provider_id>", tag=TAG)
def get_api_tool(provider_id: str) -> ApiTool:
    """Get a stored document."""
    return _api(toolbox.get("api", provider_id))


@console.put("/tool-providers/api/<provider_id>", tag=TAG)
def change_api_tool(provider_id: str, body: SaveApiTool) -> ApiTool:
    """Change a stored document."""
    return _api(_save_api(provider_id, body))


@console.delete("/tool-providers/api/<provider_id>", tag=TAG)
def delete_api_tool(provider_id: str) -> Result:
    """Delete a document."""
    toolbox.delete("api", provider_id)
    return OK


@console.get("/tool-providers/mcp/programs", tag=TAG)
def list_mcp_programs() -> Programs:
    """List the programs of this box that may be run as MCP servers (config/mcp.json)."""
    return Programs(toolbox.programs())


@console.post("/tool-providers/mcp", status=201, tag=TAG)
def add_mcp_tool(body: SaveMcpTool) -> McpTool:
    """Add an MCP server; it is asked for its tools first."""
    return _mcp(_save_mcp(None, body))


@console.get("/tool-providers/mcp/<provider_id>", tag=TAG)
def get_mcp_tool(provider_id: str) -> McpTool:
    """Get an MCP server."""
    return _mcp(toolbox.get("mcp", provider_id))


@console.put("/tool-providers/mcp/<provider_id>", tag=TAG)
def change_mcp_tool(provider_id: str, body: SaveMcpTool) -> McpTool:
    """Change an MCP server."""
    return _mcp(_save_mcp(provider_id, body))


@console.post("/tool-providers/mcp/<provider_id>/refresh", tag=TAG)
def refresh_mcp_tool(provider_id: str) -> McpTool:
    """Ask an MCP server for its tools again."""
    return _mcp(toolbox.refresh_mcp(provider_id))


@console.delete("/tool-providers/mcp/<provider_id>", tag=TAG)
def delete_mcp_tool(provider_id: str) -> Result:
    """Delete an MCP server."""
    toolbox.delete("mcp", provider_id)
    return OK


@console.post("/tool-providers/workflow", status=201, tag=TAG)
def add_workflow_tool(body: SaveWorkflowTool) -> WorkflowTool:
    """Offer a published workflow as a tool."""
    return _workflow(_save_workflow(None, body))


@console.get("/tool-providers/workflow/<provider_id>", tag=TAG)
def get_workflow_tool(provider_id: str) -> WorkflowTool:
    """Get a workflow tool."""
    return _workflow(toolbox.get("workflow", provider_id))


@console.put("/tool-providers/workflow/<provider_id>", tag=TAG)
def change_workflow_tool(provider_id: str, body: SaveWorkflowTool) -> WorkflowTool:
    """Change a workflow tool."""
    return _workflow(_save_workflow(provider_id, body))


@console.delete("/tool-providers/workflow/<provider_id>", tag=TAG)
def delete_workflow_tool(provider_id: str) -> Result:
    """Delete a workflow tool; the workflow stays."""
    toolbox.delete("workflow", provider_id)
    return OK


def _operation(operation: openapi.Operation) -> ToolDetail:
    return detail(catalog.operation_tool(operation, {}))


def _save_api(provider_id: str | None, body: SaveApiTool):
    return toolbox.save_api(
        provider_id, name=body.name, schema=body.schema, auth=msgspec.to_builtins(body.credentials),
        description=body.description, icon=body.icon, base_url=body.base_url, source=body.source,
        privacy_policy=body.privacy_policy, labels=body.labels)


def _api(row) -> ApiTool:
    config = row.config
    return ApiTool(row.id, row.name, config["schema"], toolbox.shown_auth(row), config.get("description") or "",
                   config.get("icon"), config.get("base_url") or "", config.get("source") or "",
                   config.get("privacy_policy") or "", config.get("labels") or [], stored(row))


def _save_mcp(provider_id: str | None, body: SaveMcpTool):
    return toolbox.save_mcp(
        provider_id, name=body.name, identifier=body.server_identifier, transport=body.transport,
        url=body.server_url, headers=body.headers, program=body.program, timeout=body.timeout,
        read_timeout=body.read_timeout, icon=body.icon)


def _mcp(row) -> McpTool:
    config, shown = row.config, toolbox.shown_mcp(row)
    return McpTool(row.id, row.name, row.identifier, shown["url"], config["transport"], shown["headers"],
                   config.get("program") or "", config["timeout"], config["read_timeout"], config.get("icon"),
                   int(row.updated_at), stored(row))


def _save_workflow(provider_id: str | None, body: SaveWorkflowTool):
    return toolbox.save_workflow(
        provider_id, app_id=body.workflow_app_id, name=body.name, label=body.label, description=body.description,
        parameters=msgspec.to_builtins(body.parameters), icon=body.icon, labels=body.labels)


def _workflow(row) -> WorkflowTool:
    config = row.config
    return WorkflowTool(row.id, row.app_id, row.identifier, row.name, config.get("description") or "",
                        config.get("icon"), msgspec.convert(config.get("parameters") or [], list[WorkflowParameter]),
                        config.get("labels") or [], stored(row))
