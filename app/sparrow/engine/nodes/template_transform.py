"""The template node: Jinja2 over chosen variables."""

from __future__ import annotations

from typing import Any

from sparrow.engine import jinja
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.values import MISSING


def gather(variables: Any, context: Context) -> dict[str, Any]:
    """Return the values of `[{variable, value_selector}]`; what has none is null."""
    values: dict[str, Any] = {}
    for item in variables or ():
        value = context.pool.get([str(part) for part in item.get("value_selector") or ()])
        values[str(item.get("variable") or "")] = None if value is MISSING else value
    return values


class TemplateTransform(Node):
    """Renders `template`."""

    def run(self, context: Context) -> Result:
        """Return `output`."""
        values = gather(self.data.get("variables"), context)
        try:
            output = jinja.render(str(self.data.get("template") or ""), values)
        except jinja.TemplateError as error:
            raise NodeError(str(error), "", inputs=values) from None
        return Result({"output": output}, values)
