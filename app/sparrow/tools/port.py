"""The engine's port to tools: finds a tool by the names app files use, checks its parameters, runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sparrow.engine.ports import Cancel, Files, PortError, ToolInfo, ToolMessage, ToolRef
from sparrow.messages import ToolSpec
from sparrow.tools import types
from sparrow.tools.types import Tool, Use, Workflows

_BUILT_IN = ("builtin", "plugin", "")


class Port:
    """Implements `sparrow.engine.ports.Tools`, with what the surroundings of a run give to tools."""

    def __init__(self, *, files: Files | None = None, workflows: Workflows | None = None,
                 extract: Callable[[str, bytes], str] | None = None):
        self._files, self._workflows, self._extract = files, workflows, extract

    def describe(self, ref: ToolRef) -> ToolInfo:
        """Return what a tool is; raise PortError if there is none."""
        return info(self._find(ref))

    def invoke(self, ref: ToolRef, arguments: dict[str, Any], settings: dict[str, Any], cancel: Cancel,
               *, user: str | None = None, depth: int = 0) -> Iterator[ToolMessage]:
        """Run a tool; raise PortError for a missing parameter or a failure.

        A `form` parameter that the author has set is not the model's to change; what neither gives comes from the
        stored credential, then from the parameter's default.
        """
        tool, credentials = self._find(ref), _credentials(ref)
        use = Use(cancel, credentials, self._files, self._workflows, self._extract, user, depth)
        values = {}
        for parameter in tool.parameters:
            order = (settings, arguments) if parameter.form else (arguments, settings)
            value = next((given[parameter.name] for given in (*order, credentials)
                          if given.get(parameter.name) not in (None, "")), parameter.default)
            if parameter.required and value in (None, ""):
                raise PortError(f"tool parameter {parameter.name} not found in tool config",
                                "ToolParameterValidationError")
            values[parameter.name] = types.fit(parameter, value)
        found = tool.run(values, use)
        if isinstance(found, str):
            yield ToolMessage("text", found)
        else:
            yield from found

    def _find(self, ref: ToolRef) -> Tool:
        from sparrow.tools import builtin, catalog, store

        names = (ref.provider_id, ref.provider_name)
        tool: Tool | None = None
        if ref.provider_type in _BUILT_IN:
            provider = builtin.find(ref.provider_id or ref.provider_name)
            tool = provider.tool(ref.tool_name) if provider else None
        elif ref.provider_type in catalog.KINDS:
            if ref.provider_type == "workflow":  # the name of such a tool is its own on the whole box
                names = (ref.provider_id, ref.tool_name, ref.provider_name)
            row = store.find(ref.provider_type, *names)
            tools = catalog.tools_of(row, self._workflows) if row is not None else []
            tool = next((one for one in tools if ref.tool_name in (one.name, one.function)), None)
            if tool is None and ref.provider_type == "workflow" and tools:
                tool = tools[0]
        if tool is None:
            raise PortError(f"The tool {ref.tool_name} of {ref.provider_name or ref.provider_id} "
                            f"({ref.provider_type or 'builtin'}) does not exist here; add it on the tools page.",
                            "ToolProviderNotFoundError")
        return tool


def _credentials(ref: ToolRef) -> dict[str, Any]:
    from sparrow.tools import builtin, store

    provider = builtin.find(ref.provider_id or ref.provider_name) if ref.provider_type in _BUILT_IN else None
    return store.credentials(provider.name, ref.credential_id) if provider and provider.credentials else {}


def info(tool: Tool) -> ToolInfo:
    """Return a tool as agents see it."""
    asked = [parameter for parameter in tool.parameters if not parameter.form]
    schema = {"type": "object",
              "properties": {parameter.name: types.schema_of(parameter) for parameter in asked},
              "required": [parameter.name for parameter in asked if parameter.required]}
    return ToolInfo(
        ToolSpec(tool.function, tool.description, schema), tool.label,
        {parameter.name: {"type": parameter.type, "form": "form" if parameter.form else "llm",
                          "required": parameter.required, "default": parameter.default}
         for parameter in tool.parameters})


def told(messages: Iterator[ToolMessage]) -> str:
    """Return a result as one text, as a model is told it."""
    words = []
    for message in messages:
        if message.hidden or message.type in ("log", "variable"):
            continue
        if message.type == "file":
            words.append(message.value.markdown())
        else:
            words.append(message.value if isinstance(message.value, str)
                         else json.dumps(message.value, ensure_ascii=False))
    return "".join(words)
