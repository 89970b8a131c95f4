"""The loop node: its inside again and again, until a condition holds or the count is reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sparrow import clock
from sparrow.engine import events as ev
from sparrow.engine.conditions import ConditionError, check, evaluate
from sparrow.engine.context import Context
from sparrow.engine.frame import Frame, Tags
from sparrow.engine.nodes.base import Node, NodeError, Paused, Result
from sparrow.engine.totals import Totals, cost, usage_dict
from sparrow.engine.values import MISSING, fits, jsonable, type_name
from sparrow.messages import Usage


class Loop(Node):
    """Rounds share the pool of what surrounds the loop; loop variables are `<loop id>.<label>`."""

    kind = "container"
    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read count, conditions and variables."""
        self.count = max(0, int(data.get("loop_count") or 0))
        self.conditions = list(data.get("break_conditions") or ())
        self.operator = data.get("logical_operator") or "and"
        check(self.conditions)
        self.variables = list(data.get("loop_variables") or ())

    def steps(self, context: Context) -> Iterator[Any]:
        """Yield the events of all rounds; return the loop variables and `loop_round`."""
        scope = context.shared.graph.scopes[self.id]
        if scope.root is None:
            raise NodeError("the loop is empty")
        pool = context.pool
        kept = context.frame.resumed.get(self.id)
        now = clock.now()
        totals = Totals()
        durations: dict[str, float] = {}
        history: dict[str, dict[str, Any]] = {}
        reason, failure, rounds, first, frame = "loop_completed", None, 0, 0, None
        if kept:
            shown, first, durations, history = kept["inputs"], kept["index"], kept["durations"], kept["history"]
            rounds = kept["index"]
            totals.usage = Usage(**kept["usage"]) if kept["usage"] else None
        else:
            values = self._initial(context)
            shown = {"loop_count": self.count, **{name: jsonable(value) for name, value in values.items()}}
            yield ev.LoopStarted(context.execution_id, self.id, self.type, self.title, self.count, shown, now)
            if self._over(pool, lenient=True):
                reason = "loop_break"
                first = self.count
        for index in range(first, self.count):
            begun = clock.monotonic()
            cancel, detach = context.cancel.child()
            frame = Frame(context.shared, scope, pool, scope.root, cancel, Tags(loop_id=self.id, loop_index=index))
            if kept:
                frame.restore(kept["frame"])
                kept = None
            else:
                for identity in scope.nodes:
                    pool.drop(identity)
            yield from frame.events()
            detach()
            totals.add(frame.totals.usage)
            self._answers(context, frame)
            if frame.stopped:
                raise NodeError("stopped", "Stopped")
            if frame.failure is None and frame.paused:
                raise Paused([item for job in frame.paused for item in job.reasons], None, {
                    "index": index, "inputs": shown, "durations": durations, "history": history,
                    "frame": frame.save(), "usage": usage_dict(totals.usage),
                })
            if frame.failure is not None:
                failure, reason = frame.failure, "error"
                break
            durations[str(index)] = clock.monotonic() - begun
            history[str(index)] = self._present(pool)
            rounds = index + 1
            if frame.loop_ended:  # for Dify no break: its reason stays loop_completed
                break
            try:
                over = self._over(pool)
            except ConditionError as error:
                failure, reason = NodeError(str(error), "ValueError"), "error"
                break
            if over:
                reason = "loop_break"
                break
            yield ev.LoopNext(context.execution_id, self.id, self.type, self.title, index + 1, {}, clock.now())
        metadata = {**cost(totals), "loop_duration_map": durations, "loop_variable_map": history,
                    "completed_reason": reason}
        outputs = self._present(pool) if rounds or failure else {}
        if rounds and failure is None:
            outputs["loop_round"] = rounds
        if failure is not None:
            outputs = {}
        text = None if failure is None else getattr(failure, "error", None) or str(failure)
        yield ev.LoopCompleted(
            context.execution_id, self.id, self.type, self.title, "failed" if failure else "succeeded", shown, outputs,
            text, metadata, totals.tokens, self.count if rounds or failure else 0, now, clock.now(), clock.now() - now,
        )
        if failure is not None:
            raise NodeError(text, "", inputs=shown, metadata=metadata, usage=totals.usage)
        return Result(outputs, shown, {}, metadata, usage=totals.usage)

    def _initial(self, context: Context) -> dict[str, Any]:
        """Put the loop variables into the pool."""
        pool, values = context.pool, {}
        pool.drop(self.id)
        for item in self.variables:
            name, kind = str(item.get("label") or ""), str(item.get("var_type") or "string")
            value = item.get("value")
            if item.get("value_type") == "variable":
                value = pool.get(value or ())
                if value is MISSING:
                    raise NodeError(f"Invalid value for loop variable {name}")
            else:
                value = _constant(kind, value)
            values[name] = value
            pool.set(self.id, name, value)
            # What it holds first decides what the assigner may put into it: an empty list takes anything.
            pool.types[(self.id, name)] = type_name(value)
        return values

    def _over(self, pool: Any, lenient: bool = False) -> bool:
        if not self.conditions:
            return False
        try:
            return evaluate(pool, self.conditions, self.operator)[2]
        except ConditionError:
            if lenient:
                return False
            raise

    def _present(self, pool: Any) -> dict[str, Any]:
        found = {}
        for item in self.variables:
            name = str(item.get("label") or "")
            value = pool.variable(self.id, name)
            found[name] = None if value is MISSING else jsonable(value)
        return found

    def _answers(self, context: Context, frame: Frame) -> None:
        """Add what answers inside said to the run's answer."""
        if frame.outputs.get("answer"):
            context.frame.outputs["answer"] = f"{context.frame.outputs.get('answer', '')}{frame.outputs['answer']}"


def _constant(kind: str, value: Any) -> Any:
    """Read a constant: text may stand for JSON or a number; a list without value is empty, anything else wrong."""
    listed = kind.startswith("array") and kind != "array[boolean]"
    if listed and not value:
        return []
    if value is None:
        raise NodeError(f"Type mismatch: expected {kind}, but got None")
    read = value
    if isinstance(value, str) and kind != "string":
        try:
            read = json.loads(value)
        except ValueError as error:
            if listed:
                raise NodeError(str(error)) from None
    if not fits(kind, read):
        raise NodeError(f"Type mismatch: expected {kind}, but got {type_name(read)}, value={read}")
    return read
