"""Where runs and containers begin: start, triggers, iteration-start, loop-start; and loop-end."""

from __future__ import annotations

from typing import Any

from sparrow.engine import schema
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result


class Start(Node):
    """Hands on the run's inputs, which were checked before."""

    kind = "root"

    def setup(self, data: dict[str, Any]) -> None:
        """Read the schemas of variables that are objects."""
        self.schemas: dict[str, Any] = {}
        variables = data.get("variables")
        for item in variables if isinstance(variables, list) else ():
            if isinstance(item, dict) and item.get("type") == "json_object" and item.get("json_schema"):
                self.schemas[str(item.get("variable"))] = item["json_schema"]

    def run(self, context: Context) -> Result:
        """Return the start variables."""
        values = dict(context.pool.nodes.get(self.id) or {})
        for name, wanted in self.schemas.items():
            found = schema.problem(wanted, values[name]) if values.get(name) else None  # {} passes in Dify too
            if found:
                raise NodeError(f"JSON object for '{name}' does not match schema: {found}", "ValueError")
        return Result(values, values)


class Webhook(Start):
    """A webhook's request: header names become variable names, hyphens as underscores."""

    def run(self, context: Context) -> Result:
        """Return the request's values, those that were not sent as null."""
        values = dict(context.pool.nodes.get(self.id) or {})
        for group in ("headers", "params", "body"):
            for item in self.data.get(group) or ():
                name = str(item.get("name") or "")
                values.setdefault(name.replace("-", "_") if group == "headers" else name, None)
        values.pop("", None)
        return Result(values, values)


class ContainerStart(Node):
    """Does nothing but be there; a loop-end is noticed by its frame."""

    def run(self, context: Context) -> Result:
        """Return nothing."""
        empty: dict[str, Any] = {}
        return Result(empty)
