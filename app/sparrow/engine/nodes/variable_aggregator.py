"""The variable aggregator (`variable-assigner` in old files): the first of several variables that has a value."""

from __future__ import annotations

from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, Result
from sparrow.engine.values import MISSING


class VariableAggregator(Node):
    """Joins branches: ungrouped into `output`, grouped into `<group>.output`."""

    def run(self, context: Context) -> Result:
        """Return what has a value; no value, no output."""
        settings = self.data.get("advanced_settings") or {}
        if not settings.get("group_enabled"):
            for selector in self.data.get("variables") or ():
                value = context.pool.get(selector)
                if value is not MISSING:
                    return Result({"output": value}, {".".join(selector[1:]): value})
            return Result()
        outputs, inputs = {}, {}
        for group in settings.get("groups") or ():
            for selector in group.get("variables") or ():
                value = context.pool.get(selector)
                if value is not MISSING:
                    outputs[str(group.get("group_name"))] = {"output": value}
                    inputs[".".join(selector[1:])] = value
                    break
        return Result(outputs, inputs)
