"""What a tool is: its parameters, how it is run, and what it may use while it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparrow.engine.ports import Cancel, Files, PortError, ToolMessage


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a tool. `form` ones are set by the app's author, the others by the model.

    `type`: string, number, boolean, select, secret, object, array, file. `schema` is the JSON schema a model is
    shown; made of the type if None.
    """

    name: str
    description: str = ""
    type: str = "string"
    required: bool = True
    default: Any = None
    form: bool = False
    options: tuple[str, ...] = ()
    zh: str = ""
    schema: dict[str, Any] | None = None


class Workflows(Protocol):
    """Runs an app of this box for the tool that stands for it."""

    def run(self, app_id: str, inputs: dict[str, Any], *, user: str | None, depth: int,
            cancel: Cancel) -> dict[str, Any]:
        """Return the outputs of a run of the published version; raise PortError."""

    def parameters(self, app_id: str) -> list[dict[str, Any]]:
        """Return the fields of the published version's start node; raise PortError if it cannot be run."""


@dataclass(slots=True)
class Use:
    """What one call may use. `files` is None where no run surrounds it; `extract` reads documents."""

    cancel: Cancel
    credentials: dict[str, Any] = field(default_factory=dict)
    files: Files | None = None
    workflows: Workflows | None = None
    extract: Callable[[str, bytes], str] | None = None
    user: str | None = None
    depth: int = 0


Run = Callable[[dict[str, Any], Use], "str | Iterator[ToolMessage]"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `name` is the one app files use; `label` and `description` are shown."""

    name: str
    label: dict[str, str]
    description: str
    parameters: tuple[Parameter, ...]
    run: Run
    output_schema: dict[str, Any] | None = None

    @property
    def function(self) -> str:
        """The name as models take it: letters, digits, `_` and `-`, at most 64."""
        return re.sub(r"[^a-zA-Z0-9_-]", "_", self.name)[:64] or "tool"


def failure(text: str) -> PortError:
    """Return the error of a call that went wrong."""
    return PortError(text, "ToolInvokeError")


def schema_of(parameter: Parameter) -> dict[str, Any]:
    """Return the JSON schema a model is shown of a parameter."""
    if parameter.schema is not None:
        schema = dict(parameter.schema)
    else:
        plain = parameter.type in ("number", "boolean", "object", "array")
        schema = {"type": parameter.type if plain else "string"}
        if parameter.options:
            schema["enum"] = list(parameter.options)
    if parameter.description and not schema.get("description"):
        schema["description"] = parameter.description
    return schema


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:  # built-in tools say it as Dify's do
        raise failure(str(error)) from None


def fit(parameter: Parameter, value: Any) -> Any:
    """Return a value as the parameter's type wants it: text is read as number, boolean or JSON. Raise PortError."""
    kind = (parameter.schema or {}).get("type") or parameter.type
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "string")
    if value is None:
        return value
    try:
        if kind in ("number", "integer") and isinstance(value, str):
            number = float(value) if parameter.schema is not None or "." in value else _whole(value)
            if number != number or number in (float("inf"), float("-inf")):
                raise ValueError
            return int(number) if kind == "integer" or number == int(number) else number
        if kind == "boolean" and not isinstance(value, bool):
            word = str(value).strip().lower()
            if word not in ("true", "1", "yes", "on", "false", "0", "no", "off", ""):
                raise ValueError
            return word in ("true", "1", "yes", "on")
        if kind in ("object", "array") and isinstance(value, str):
            found = json.loads(value)
            if not isinstance(found, dict if kind == "object" else list):
                raise ValueError
            return found
    except (ValueError, OverflowError, RecursionError):
        raise PortError(f"tool parameter {parameter.name} should be of type {kind}, not {str(value)[:100]!r}",
                        "ToolParameterValidationError") from None
    if parameter.options and isinstance(value, str) and value not in parameter.options:
        raise PortError(f"tool parameter {parameter.name} should be one of {', '.join(parameter.options)}, "
                        f"not {value[:100]!r}", "ToolParameterValidationError")
    return value
