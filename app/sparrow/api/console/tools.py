"""All tools that apps can use, trying one, credentials of built-in ones, and the list of outbound calls."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.apps import toolbox
from sparrow.engine.ports import PortError, ToolRef
from sparrow.errors import SparrowError
from sparrow.tools import builtin, outbound, store, types
from sparrow.tools.types import Parameter, Tool

TAG = "tools"
Kind = Literal["builtin", "api", "mcp", "workflow"]
Text = dict[str, str]


class ToolParameter(msgspec.Struct):
    """A parameter. `form`: llm (the model fills it in) or form (the app's author does)."""

    name: str
    label: Text
    type: str
    form: Literal["llm", "form"]
    required: bool
    default: Any
    options: list[str]
    llm_description: str
    human_description: Text


class ToolDetail(msgspec.Struct):
    """A tool, as agents and the canvas need it. `input_schema` is what a model is shown."""

    name: str
    label: Text
    description: Text
    parameters: list[ToolParameter]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None


class ToolProvider(msgspec.Struct):
    """A family of tools. `id` and `name` are what app files say as provider_id and provider_name.

    `authorized` is false while a credential is wanted and none is stored; `error` says why a provider cannot be used.
    """

    id: str
    name: str
    type: Kind
    label: Text
    description: Text
    icon: Any
    authorized: bool
    tools: list[ToolDetail]
    credentials_schema: list[ToolParameter]
    error: str | None = None


class ToolProviders(msgspec.Struct):
    """A list of families."""

    data: list[ToolProvider]


class ToolsQuery(msgspec.Struct):
    """Which tools to list."""

    type: Kind | None = None


class TestTool(msgspec.Struct):
    """A call to try: the tool by the names that app files use, and all its parameters."""

    provider_type: Kind
    provider_id: str
    tool_name: str
    parameters: dict[str, Any] = {}
    credential_id: str | None = None


class TestedTool(msgspec.Struct):
    """How a try went."""

    ok: bool
    result: str
    error: str | None
    latency_ms: int


class ToolCredential(msgspec.Struct):
    """A credential; what is secret of it is masked."""

    id: str
    provider: str
    name: str
    credentials: dict[str, Any]
    is_default: bool


class ToolCredentials(msgspec.Struct):
    """A provider's credentials, the default one first."""

    data: list[ToolCredential]


class SaveToolCredential(msgspec.Struct):
    """A credential to store; a masked value stays as it was."""

    name: str = "default"
    credentials: dict[str, Any] = {}
    is_default: bool = False


class OutboundRules(msgspec.Struct):
    """Networks, addresses and host names that tools and HTTP nodes may call although, or may not although."""

    allow: list[str] = []
    deny: list[str] = []


@console.get("/tools", tag=TAG)
def list_tools(query: ToolsQuery) -> ToolProviders:
    """List all tools, for agents and the canvas."""
    found = []
    if query.type in (None, "builtin"):
        found += [built_in(provider) for provider in builtin.providers().values()]
    if query.type != "builtin":
        found += [stored(row) for row in store.listed(query.type)]
    return ToolProviders(found)


@console.post("/tools/test", tag=TAG)
def test_tool(body: TestTool) -> TestedTool:
    """Call a tool once."""
    ref = ToolRef(body.provider_type, body.provider_id, body.tool_name, credential_id=body.credential_id)
    return tried(lambda: toolbox.try_tool(ref, body.parameters))


@console.get("/tool-providers/builtin/<provider>/credentials", tag=TAG)
def list_tool_credentials(provider: str) -> ToolCredentials:
    """List the credentials of a built-in family."""
    return ToolCredentials([_credential(row) for row in toolbox.find_credentials(provider)])


@console.post("/tool-providers/builtin/<provider>/credentials", status=201, tag=TAG)
def add_tool_credential(provider: str, body: SaveToolCredential) -> ToolCredential:
    """Store a credential; the first one is the default."""
    return _credential(toolbox.save_credential(provider, None, name=body.name, values=body.credentials,
                                               default=body.is_default))


@console.put("/tool-providers/builtin/<provider>/credentials/<credential_id>", tag=TAG)
def change_tool_credential(provider: str, credential_id: str, body: SaveToolCredential) -> ToolCredential:
    """Change a credential."""
    return _credential(toolbox.save_credential(provider, credential_id, name=body.name, values=body.credentials,
                                               default=body.is_default))


@console.delete("/tool-providers/builtin/<provider>/credentials/<credential_id>", tag=TAG)
def delete_tool_credential(provider: str, credential_id: str) -> Result:
    """Delete a credential."""
    toolbox.delete_credential(provider, credential_id)
    return OK


@console.get("/outbound-rules", tag=TAG)
def get_outbound_rules() -> OutboundRules:
    """Get the lists of outbound calls."""
    return OutboundRules(**outbound.rules())


@console.put("/outbound-rules", tag=TAG)
def set_outbound_rules(body: OutboundRules) -> OutboundRules:
    """Set the lists of outbound calls; they hold for the next call."""
    return OutboundRules(**outbound.set_rules(body.allow, body.deny))


def tried(call) -> TestedTool:
    """Return how a try went; a tool that fails is an answer, not an error."""
    began = time.monotonic()
    result, error = "", None
    try:
        result = call()
    except PortError as failure:
        error = str(failure)
    return TestedTool(error is None, result, error, round((time.monotonic() - began) * 1000))


def built_in(provider: builtin.Provider) -> ToolProvider:
    """Return a built-in family as the console sees it."""
    authorized = not any(parameter.required for parameter in provider.credentials) \
        or bool(store.credentials(provider.name, None))
    return ToolProvider(provider.name, provider.name, "builtin", provider.label, provider.description, None,
                        authorized, [detail(tool) for tool in provider.tools],
                        [_parameter(parameter) for parameter in provider.credentials])


def stored(row) -> ToolProvider:
    """Return a stored provider as the console sees it."""
    tools, error = [], None
    try:
        tools = [detail(tool) for tool in toolbox.tools(row)]
    except (PortError, SparrowError) as failure:
        error = str(failure)
    text = row.config.get("description") or ""
    return ToolProvider(row.identifier if row.kind == "mcp" else row.id, row.name, row.kind,
                        {"en_US": row.name, "zh_Hans": row.name}, {"en_US": text, "zh_Hans": text},
                        row.config.get("icon"), True, tools, [], error)


def detail(tool: Tool) -> ToolDetail:
    """Return a tool as the console sees it."""
    asked = [parameter for parameter in tool.parameters if not parameter.form]
    return ToolDetail(
        tool.name, tool.label, {"en_US": tool.description, "zh_Hans": tool.description},
        [_parameter(parameter) for parameter in tool.parameters],
        {"type": "object", "properties": {item.name: types.schema_of(item) for item in asked},
         "required": [item.name for item in asked if item.required]}, tool.output_schema)


def _parameter(parameter: Parameter) -> ToolParameter:
    words = {"en_US": parameter.description or parameter.name,
             "zh_Hans": parameter.zh or parameter.description or parameter.name}
    return ToolParameter(parameter.name, words, parameter.type, "form" if parameter.form else "llm",
                         parameter.required, parameter.default, list(parameter.options), parameter.description, words)


def _credential(row) -> ToolCredential:
    return ToolCredential(row.id, row.provider, row.name, row.shown, row.is_default)
