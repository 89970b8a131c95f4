"""The variable pool of a run: values by node id and name, read by selectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sparrow.engine.files import File
from sparrow.engine.values import MISSING


class Pool:
    """Variables of a frame. A child pool sees its parent's values and keeps its own writes to itself, but for
    conversation variables, which belong to the whole run. `types` are declared types of variables that have
    one (conversation and loop variables).
    """

    __slots__ = ("nodes", "parent", "root", "types")

    def __init__(self, parent: Pool | None = None):
        self.nodes: dict[str, dict[str, Any]] = {}
        self.types: dict[tuple[str, str], str] = {}
        self.parent = parent
        self.root: Pool = parent.root if parent is not None else self

    def variable(self, node: str, name: str) -> Any:
        """Return a stored variable or MISSING."""
        pool: Pool | None = self
        while pool is not None:
            names = pool.nodes.get(node)
            if names is not None and name in names:
                return names[name]
            pool = pool.parent
        return MISSING

    def get(self, selector: Sequence[str]) -> Any:
        """Return what a selector names (further parts walk into objects, or read a file attribute), or MISSING."""
        if len(selector) < 2:
            return MISSING
        value = self.variable(selector[0], selector[1])
        for part in selector[2:]:
            if isinstance(value, dict):
                value = value.get(part, MISSING)
            elif isinstance(value, File):
                try:
                    value = value.attribute(part)
                except KeyError:
                    return MISSING
            else:
                return MISSING
        return value

    def set(self, node: str, name: str, value: Any) -> None:
        """Store a variable."""
        pool = self.root if node == "conversation" else self
        names = pool.nodes.get(node)
        if names is None:
            names = pool.nodes[node] = {}
        names[name] = value

    def set_all(self, node: str, values: dict[str, Any]) -> None:
        """Store a node's outputs."""
        names = self.nodes.get(node)
        if names is None:
            self.nodes[node] = dict(values)
        else:
            names.update(values)

    def drop(self, node: str) -> None:
        """Forget all variables of a node."""
        self.nodes.pop(node, None)

    def type_of(self, node: str, name: str) -> str | None:
        """Return a variable's declared type, if it has one."""
        pool: Pool | None = self
        while pool is not None:
            kind = pool.types.get((node, name))
            if kind is not None:
                return kind
            pool = pool.parent
        return None
