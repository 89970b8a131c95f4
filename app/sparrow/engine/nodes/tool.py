"""The tool node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sparrow.engine import template
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Chunk, Node, NodeError, Result
from sparrow.engine.ports import PortError, ToolRef
from sparrow.engine.values import MISSING, jsonable


def arguments_of(given: Any, context: Context, needed: Callable[[str], bool] = bool) -> dict[str, Any]:
    """Return the values of `{name: {type: mixed|variable|constant, value}}`; a bare value is a constant.

    A variable that does not exist is an error where the parameter is needed, else it is left out.
    """
    found: dict[str, Any] = {}
    for name, item in (given or {}).items():
        if not isinstance(item, dict) or "type" not in item:
            found[name] = item
            continue
        value = item.get("value")
        if item["type"] == "variable":
            value = context.pool.get(value or ())
            if value is MISSING:
                if needed(name):
                    raise NodeError(f"Variable {item.get('value')} does not exist", "ToolParameterError")
                continue
        elif isinstance(value, str):
            value = template.render(value, context.pool)
        elif item["type"] == "mixed" and value is not None:
            value = template.render(str(value), context.pool)
        elif item["type"] == "constant" and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}


class Tool(Node):
    """Runs one tool and streams its text."""

    streams = True
    retries = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read which tool."""
        self.ref = ToolRef(str(data.get("provider_type") or "builtin"), str(data.get("provider_id") or ""),
                           str(data.get("tool_name") or ""), str(data.get("provider_name") or ""),
                           data.get("credential_id"))

    def extras(self) -> dict[str, Any]:
        """Return the tool's icon."""
        return {"icon": f"/console/api/workspaces/current/tool-provider/{self.ref.provider_type}"
                        f"/{self.ref.provider_id}/icon"}

    def _needs(self, name: str, context: Context) -> bool:
        found = context.need("tools").describe(self.ref).parameters.get(name)
        return found is None or bool(found.get("required"))

    def steps(self, context: Context) -> Iterator[Any]:
        """Yield text chunks; return text, files, json and the tool's variables."""
        info = {"tool_info": {"provider_type": self.ref.provider_type, "provider_id": self.ref.provider_id,
                              "plugin_unique_identifier": self.data.get("plugin_unique_identifier")}}
        inputs: dict[str, Any] = {}
        text: list[str] = []
        files: list[Any] = []
        found: list[Any] = []
        variables: dict[str, Any] = {}
        try:
            arguments = arguments_of(self.data.get("tool_parameters"), context, lambda name: self._needs(name, context))
            inputs = jsonable(arguments)
            settings = arguments_of(self.data.get("tool_configurations"), context)
            for message in context.need("tools").invoke(self.ref, arguments, settings, context.cancel,
                                                        user=context.user, depth=context.shared.depth + 1):
                if message.type in ("text", "link", "image"):
                    words = message.value if message.type == "text" else f"{message.type.title()}: {message.value}\n"
                    text.append(words)
                    yield Chunk("text", words)
                elif message.type == "json":
                    found.append(message.value)
                elif message.type == "file":
                    files.append(message.value)
                elif message.type == "variable":
                    if message.stream:
                        variables[message.name] = f"{variables.get(message.name, '')}{message.value}"
                        yield Chunk(message.name, str(message.value))
                    else:
                        variables[message.name] = message.value
        except PortError as error:
            raise NodeError(f"Failed to invoke tool: {error}" if not str(error).startswith("Failed to") else str(error),
                            error.error_type, inputs=inputs, metadata=info) from None
        except NodeError as error:
            error.inputs, error.metadata = inputs, info
            raise
        yield Chunk("text", "", True)
        outputs = {"text": "".join(text), "files": files, "json": found or [{"data": []}], **variables}
        return Result(outputs, inputs, {}, info)
