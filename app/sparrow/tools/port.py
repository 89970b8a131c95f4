"""The engine's port to tools: finds a tool by the names DSL files use, checks its parameters, runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparrow.engine.ports import Cancel, PortError, ToolInfo, ToolMessage, ToolRef
from sparrow.messages import ToolSpec
from sparrow.tools.builtin import TOOLS, Tool


class Port:
    """Implements `sparrow.engine.ports.Tools`."""

    def describe(self, ref: ToolRef) -> ToolInfo:
        """Return what a tool is; raise PortError if there is none."""
        tool = _find(ref)
        asked = [p for p in tool.parameters if not p.form]
        schema = {"type": "object",
                  "properties": {p.name: {"type": p.type, "description": p.description} for p in asked},
                  "required": [p.name for p in asked if p.required]}
        return ToolInfo(
            ToolSpec(tool.name, tool.description, schema),
            {"en_US": tool.en, "zh_Hans": tool.zh},
            {p.name: {"type": p.type, "form": "form" if p.form else "llm", "required": p.required,
                      "default": p.default} for p in tool.parameters})

    def invoke(self, ref: ToolRef, arguments: dict[str, Any], settings: dict[str, Any], cancel: Cancel,
               *, user: str | None = None, depth: int = 0) -> Iterator[ToolMessage]:
        """Run a tool; raise PortError for a missing parameter or a failure."""
        tool = _find(ref)
        given = settings | {name: value for name, value in arguments.items() if value is not None}
        values = {}
        for parameter in tool.parameters:
            value = given.get(parameter.name, parameter.default)
            if parameter.required and value in (None, ""):
                raise PortError(f"tool parameter {parameter.name} not found in tool config",
                                "ToolParameterValidationError")
            values[parameter.name] = value
        yield ToolMessage("text", tool.run(values, cancel))


def _find(ref: ToolRef) -> Tool:
    provider = (ref.provider_id or ref.provider_name).rpartition("/")[2]
    tool = TOOLS.get((provider, ref.tool_name)) if ref.provider_type in ("builtin", "plugin", "") else None
    if tool is None:
        raise PortError(f"The tool {ref.provider_id}/{ref.tool_name} does not exist here.", "ToolProviderNotFoundError")
    return tool
