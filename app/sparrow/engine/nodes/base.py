"""What every node type shares: its configuration, how it is asked to run, what it gives back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparrow.characters import whole
from sparrow.engine.ports import PortError
from sparrow.engine.values import fits
from sparrow.errors import SparrowError
from sparrow.messages import ModelError, ModelRef, Usage

if TYPE_CHECKING:
    from sparrow.engine.context import Context
    from sparrow.engine.events import Event


@dataclass(slots=True)
class Chunk:
    """A piece of one of the node's outputs, streamed while it runs; `final` closes the stream."""

    name: str
    text: str
    final: bool = False


@dataclass(slots=True)
class Result:
    """A node's success. `handle` is the taken edge's for branches; `metadata` becomes execution_metadata."""

    outputs: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    process_data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    handle: str = "source"
    usage: Usage | None = None


class NodeError(Exception):
    """A node failed; the error strategy decides what follows. What it knew is kept for the trace.

    `error_type` becomes an output of a handled failure; it is empty where Dify's nodes give none.
    """

    def __init__(self, message: str, error_type: str = "WorkflowNodeError", *, inputs: dict[str, Any] | None = None,
                 process_data: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None,
                 metadata: dict[str, Any] | None = None, usage: Usage | None = None):
        super().__init__(message)
        self.error_type = error_type
        self.inputs = inputs
        self.process_data = process_data
        self.outputs = outputs
        self.metadata = metadata
        self.usage = usage


def as_node_error(error: BaseException) -> NodeError:
    """Return any error as a NodeError: its text, and the type a client is shown."""
    if isinstance(error, NodeError):
        error.args, error.outputs = (whole(str(error)),), whole(error.outputs)
        return error
    if isinstance(error, ModelError | PortError):
        return NodeError(whole(str(error)), error.error_type)
    if isinstance(error, SparrowError):
        return NodeError(error.message, type(error).__name__)
    return NodeError(whole(str(error)) or type(error).__name__, type(error).__name__)


class Paused(Exception):
    """A node waits for people; `reasons` are Dify's pause reasons, `state` what the node needs to go on (JSON)."""

    def __init__(self, reasons: list[dict[str, Any]], event: Event | None = None, state: Any = None):
        super().__init__("paused")
        self.reasons = reasons
        self.event = event
        self.state = state


Steps = Iterator["Chunk | Event"]


class Node:
    """A node of a graph, parsed once and shared by all runs: it must not keep anything of a run.

    Subclasses override `setup` (read `data`; raise ValueError for what can never work) and either `run` or,
    if they stream or contain others, `steps`.
    """

    kind = "plain"  # or root, branch, container, reply
    type = ""
    streams = False
    retries = False  # whether retry_config counts: as in Dify for models, code, tools and HTTP requests alone

    def __init__(self, identity: str, data: dict[str, Any]):
        self.id = identity
        self.data = data
        self.type = data["type"]
        self.title = str(data.get("title") or "")
        self.strategy = data.get("error_strategy") or None
        if self.strategy == "fail-branch" and self.kind == "plain":  # the two ways out make it a branch
            self.kind = "branch"
        retry = data.get("retry_config") or {}
        self.max_retries = int(retry.get("max_retries") or 0) if self.retries and retry.get("retry_enabled") else 0
        self.retry_seconds = float(retry.get("retry_interval") or 0) / 1000
        self.defaults = _defaults(data.get("default_value")) if self.strategy == "default-value" else {}
        self.setup(data)

    def setup(self, data: dict[str, Any]) -> None:
        """Read the configuration."""

    def segments(self) -> tuple[str | tuple[str, ...], ...]:
        """Return what a reply node streams, in order: literal text and selectors."""
        return ()

    def writes_any(self, selectors: Iterable[tuple[str, ...]]) -> bool:
        """Tell whether running this node changes one of these variables (which are not its outputs)."""
        return False

    def models(self) -> tuple[ModelRef, ...]:
        """Return the models that must be set up before a run may start."""
        return ()

    def run(self, context: Context) -> Result:
        """Do the node's work; raise NodeError when it fails."""
        raise NotImplementedError

    def steps(self, context: Context) -> Iterator[Any]:
        """Do the node's work, yielding chunks and events on the way; return the Result."""
        return self.run(context)
        yield  # pragma: no cover

    def agent_strategy(self) -> dict[str, Any] | None:
        """Return what node_started says of an agent's strategy."""
        return None

    def extras(self) -> dict[str, Any]:
        """Return what node_started adds."""
        return {}


def _defaults(items: Any) -> dict[str, Any]:
    """Return the outputs that the default-value strategy puts in place of a failed node's.

    Text stands for a number or for JSON where the type is not string; ValueError for what the type does not take.
    """
    values: dict[str, Any] = {}
    for item in items or ():
        name, kind, value = item.get("key"), str(item.get("type") or "string"), item.get("value")
        if isinstance(value, str) and kind not in ("string", "array[file]"):
            try:
                value = float(value) if kind == "number" else json.loads(value)
            except ValueError:
                raise ValueError(f"default value of {name} is not valid for {kind}: {value}") from None
        if kind != "array[file]" and not fits(kind, value):
            raise ValueError(f"default value of {name} is not valid for {kind}: {value}")
        values[str(name)] = value
    return values
