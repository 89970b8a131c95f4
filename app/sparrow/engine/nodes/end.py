"""The end node: a workflow's outputs."""

from __future__ import annotations

from typing import Any

from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, Result
from sparrow.engine.values import MISSING


class End(Node):
    """Collects values by selectors; what has none is null."""

    kind = "reply"

    def setup(self, data: dict[str, Any]) -> None:
        """Read `outputs`."""
        self.wanted = [
            (str(item.get("variable") or ""), tuple(str(part) for part in item.get("value_selector") or ()))
            for item in data.get("outputs") or ()
        ]

    def segments(self) -> tuple[str | tuple[str, ...], ...]:
        """Return every selector, with a newline between."""
        parts: list[str | tuple[str, ...]] = []
        for _, selector in self.wanted:
            if parts:
                parts.append("\n")
            if len(selector) > 1:  # one that names nothing streams nothing
                parts.append(selector)
        while parts and parts[-1] == "\n":
            parts.pop()
        return tuple(parts)

    def run(self, context: Context) -> Result:
        """Return the outputs."""
        values = {}
        for name, selector in self.wanted:
            value = context.pool.get(selector)
            values[name] = None if value is MISSING else value
        return Result(values, values)
