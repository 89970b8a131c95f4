"""What a node sees of the run it belongs to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparrow.engine.nodes.base import Node, NodeError
from sparrow.engine.pool import Pool
from sparrow.engine.ports import Cancel, FormResult, Ports

if TYPE_CHECKING:
    from sparrow.engine.frame import Frame
    from sparrow.engine.graph import Graph


@dataclass(slots=True, frozen=True)
class Limits:
    """Bounds of a run: node executions a frame, seconds, workflows within workflows, threads."""

    max_steps: int = 500
    max_seconds: float = 1200.0
    max_depth: int = 5
    threads: int = 10


@dataclass(slots=True)
class Shared:
    """What all frames of one run have in common. `mode` is workflow or advanced-chat."""

    graph: Graph
    ports: Ports
    cancel: Cancel
    limits: Limits
    system: dict[str, Any]
    mode: str = "workflow"
    depth: int = 0
    secrets: Collection[str] = ()
    threads: Any = None
    forms: dict[str, FormResult] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """Handed to a node when it runs. `cancel` is its frame's; `execution_id` names this execution."""

    shared: Shared
    frame: Frame
    pool: Pool
    cancel: Cancel
    node: Node
    execution_id: str

    @property
    def ports(self) -> Ports:
        """Return the run's ports."""
        return self.shared.ports

    @property
    def user(self) -> str | None:
        """Return who runs it."""
        return self.shared.system.get("user_id")

    def need(self, port: str) -> Any:
        """Return a port; fail the node if this run has none."""
        found = getattr(self.shared.ports, port)
        if found is None:
            raise NodeError(f"{port} is not available in this run", "PortNotAvailableError")
        return found
