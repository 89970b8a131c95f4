"""The human input node: a form, a pause, and a way on for each action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sparrow import clock
from sparrow.engine import events as ev
from sparrow.engine import template
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, Paused, Result
from sparrow.engine.ports import FormRequest
from sparrow.engine.values import MISSING, compact, jsonable

_SLOT = re.compile(r"\{\{#\$output\.([A-Za-z_][A-Za-z0-9_]*)#\}\}")


def _said(value: Any) -> str:
    """Return a submitted value as the form shows it."""
    return "" if value is None else compact(value) if isinstance(value, dict | list) else str(value)


class HumanInput(Node):
    """Pauses the run until its form is submitted or times out."""

    kind = "branch"
    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read the form."""
        self.content = str(data.get("form_content") or "")
        self.inputs = list(data.get("inputs") or ())
        self.actions = list(data.get("user_actions") or ())
        unit = 86400 if data.get("timeout_unit") == "day" else 3600
        self.seconds = float(data.get("timeout") or 36) * unit

    def steps(self, context: Context) -> Iterator[Any]:
        """Ask, or go on with the answer."""
        kept = context.frame.resumed.get(self.id)
        if kept is None:
            raise self._ask(context)
        result = context.shared.forms.get(kept["form_id"])
        if result is None:
            raise Paused([kept["reason"]], None, kept)
        content = kept["reason"]["form_content"]
        if result.status == "timeout":
            yield ev.HumanInputTimeout(self.id, self.title, int(kept["reason"]["expiration_time"]))
            return Result({"__action_id": ""}, handle="__timeout")
        values = {}
        for item in self.inputs:
            name = str(item.get("output_variable_name") or "")
            values[name] = result.inputs.get(name)
        shown = jsonable(values)
        rendered = _SLOT.sub(lambda found: _said(values[found[1]]) if found[1] in values else found[0], content)
        action = next((item for item in self.actions if item.get("id") == result.action_id), {})
        yield ev.HumanInputFilled(self.id, self.title, rendered, result.action_id, str(action.get("title") or ""),
                                  shown)
        outputs = {**values, "__action_id": result.action_id, "__action_value": str(action.get("title") or ""),
                   "__rendered_content": rendered}
        return Result(outputs, {}, handle=result.action_id)

    def _ask(self, context: Context) -> Paused:
        """Create the form; return the pause."""
        defaults: dict[str, Any] = {}
        for item in self.inputs:
            default = item.get("default") or {}
            if default.get("type") == "variable":
                value = context.pool.get(default.get("selector") or ())
                if value is not MISSING:
                    defaults[str(item.get("output_variable_name"))] = jsonable(value)
        content = template.render_markdown(self.content, context.pool)
        expires = clock.now() + self.seconds
        deliveries = [item for item in self.data.get("delivery_methods") or () if item.get("enabled") is not False]
        form = context.need("forms").create(FormRequest(self.id, self.title, content, self.inputs, self.actions,
                                                        defaults, expires, deliveries))
        event = ev.HumanInputRequired(self.id, self.title, form.id, form.token, content, self.inputs, self.actions,
                                      form.display_in_ui, defaults, int(expires))
        reason = {"TYPE": "human_input_required", "form_id": form.id, "form_content": content, "inputs": self.inputs,
                  "actions": self.actions, "node_id": self.id, "node_title": self.title,
                  "resolved_default_values": defaults, "form_token": form.token, "expiration_time": int(expires)}
        return Paused([reason], event, {"form_id": form.id, "reason": reason})
