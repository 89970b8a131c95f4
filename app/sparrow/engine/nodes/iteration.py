"""The iteration node: its inside once for every item, one after the other or several at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sparrow import clock
from sparrow.engine import events as ev
from sparrow.engine.context import Context
from sparrow.engine.frame import Frame, PausedJob, Tags
from sparrow.engine.nodes.base import Node, NodeError, Paused, Result
from sparrow.engine.pool import Pool
from sparrow.engine.totals import Totals, cost, usage_dict
from sparrow.engine.values import MISSING, jsonable, revive, text, type_name
from sparrow.messages import Usage


class Iteration(Node):
    """Collects one output of its inside for every item."""

    kind = "container"
    streams = True

    def setup(self, data: dict[str, Any]) -> None:
        """Read what to iterate over, what to collect, how errors are met."""
        self.source = [str(part) for part in data.get("iterator_selector") or ()]
        self.wanted = [str(part) for part in data.get("output_selector") or ()]
        self.is_parallel = bool(data.get("is_parallel"))
        self.width = max(1, int(data.get("parallel_nums") or 10))
        self.mode = str(data.get("error_handle_mode") or "terminated")
        self.flatten = data.get("flatten_output") is not False

    def steps(self, context: Context) -> Iterator[Any]:
        """Yield the events of all items; return `output`."""
        items = context.pool.get(self.source)
        if items is MISSING:
            raise NodeError(f"iterator variable {self.source} not found")
        if items is None or items == []:
            return Result({"output": []}, {"iterator_selector": []})
        if not isinstance(items, list):
            kind = type_name(items)
            raise NodeError(f"invalid iterator value: {text(items)!r} ({kind}), please provide a list.")
        scope = context.shared.graph.scopes[self.id]
        if scope.root is None:
            raise NodeError("the iteration is empty")
        run = _Run(self, context, items)
        kept = context.frame.resumed.get(self.id)
        now = clock.now()
        shown = {"iterator_selector": jsonable(items)}
        if kept is None:
            yield ev.IterationStarted(context.execution_id, self.id, self.type, self.title, len(items), shown, now)
        try:
            failure = yield from (run.parallel() if self.is_parallel else run.sequential(kept))
        finally:
            run.close()
        outputs = self._outputs(run, failure)
        metadata = {**cost(run.totals), "iteration_duration_map": run.durations}
        yield ev.IterationCompleted(
            context.execution_id, self.id, self.type, self.title, "failed" if failure else "succeeded", shown,
            jsonable(outputs), None, metadata, run.totals.tokens, len(items), now, clock.now(), clock.now() - now,
        )
        if failure is not None:
            raise NodeError(failure.error, "", inputs=shown, outputs=outputs, metadata=metadata,
                            usage=run.totals.usage)
        return Result(outputs, shown, {}, metadata, usage=run.totals.usage)

    def _outputs(self, run: _Run, failure: Any) -> dict[str, Any]:
        """Return the collected values; those of a failed run as far as they are known."""
        if self.is_parallel:
            found = [run.results.get(index) for index in range(len(run.items))]
        else:
            found = [run.results[index] for index in sorted(run.results)]
        if failure is None and self.mode == "remove-abnormal-output":
            # Items that run side by side lose every null, those one after the other only what failed: Dify's way.
            found = [value for index, value in enumerate(found)
                     if (value is not None if self.is_parallel else index not in run.failed)]
        lists = [value for value in found if value is not None]
        if self.flatten and lists and all(isinstance(value, list) for value in lists):
            found = [item for value in lists for item in value]
        return {"output": found}


class _Run:
    """One execution of an iteration node."""

    def __init__(self, node: Iteration, context: Context, items: list[Any]):
        self.node = node
        self.context = context
        self.items = items
        self.results: dict[int, Any] = {}
        self.failed: set[int] = set()
        self.durations: dict[str, float] = {}
        self.totals = Totals()
        self._cancel, self._forget = context.cancel.child()
        self._detach: dict[int, Callable[[], object]] = {}

    def _frame(self, index: int) -> Frame:
        node, context = self.node, self.context
        scope = context.shared.graph.scopes[node.id]
        pool = Pool(context.pool)
        pool.nodes[node.id] = {"item": self.items[index], "index": index}
        cancel, self._detach[index] = self._cancel.child()
        return Frame(context.shared, scope, pool, scope.root, cancel, Tags(iteration_id=node.id, iteration_index=index))

    def close(self) -> None:
        """Stop the items that still run: nobody waits for them any more."""
        self._forget()
        self._cancel.cancel("The iteration has ended.")

    def _next(self, index: int) -> ev.IterationNext:
        node = self.node
        return ev.IterationNext(self.context.execution_id, node.id, node.type, node.title, index, clock.now())

    def _close(self, index: int, frame: Frame, seconds: float) -> Any:
        """Take an item's result; return the failure that ends the iteration, if it does."""
        self._detach.pop(index)()
        self.totals.add(frame.totals.usage)
        if frame.stopped:
            raise NodeError("stopped", "Stopped")
        if frame.failure is not None:
            if self.node.mode == "terminated":
                return frame.failure
            self.results[index] = None
            self.failed.add(index)
        else:
            value = frame.pool.get(self.node.wanted)
            self.results[index] = None if value is MISSING else value
        self.durations[str(index)] = seconds
        return None

    def sequential(self, kept: Any) -> Iterator[Any]:
        """Run item after item."""
        from sparrow.engine.run import load_pool, save_pool

        first, frame = 0, None
        if kept:
            first = kept["index"]
            self.results = {int(key): revive(value) for key, value in kept["results"].items()}
            self.failed = set(kept["failed"])
            self.durations = kept["durations"]
            self.totals.usage = Usage(**kept["usage"]) if kept["usage"] else None
            frame = self._frame(first)
            pool = load_pool(kept["pool"], self.context.pool)
            frame.pool.nodes, frame.pool.types = pool.nodes, pool.types
            frame.restore(kept["frame"])
        for index in range(first, len(self.items)):
            begun = clock.monotonic()
            if frame is None:
                yield self._next(index)
                frame = self._frame(index)
            yield from frame.events()
            if frame.paused and frame.failure is None and not frame.stopped:
                raise Paused([reason for job in frame.paused for reason in job.reasons], None, {
                    "index": index, "results": {str(key): jsonable(value) for key, value in self.results.items()},
                    "failed": sorted(self.failed), "durations": self.durations, "frame": frame.save(),
                    "pool": save_pool(frame.pool), "usage": usage_dict(self.totals.usage),
                })
            failure = self._close(index, frame, clock.monotonic() - begun)
            frame = None
            if failure is not None:
                return failure
        return None

    def parallel(self) -> Iterator[Any]:
        """Run several items at a time; events of an item come together when it is through."""
        for index in range(len(self.items)):
            yield self._next(index)
        todo = iter(range(len(self.items)))
        done: queue.SimpleQueue = queue.SimpleQueue()
        stop = threading.Event()
        lock = threading.Lock()

        def work() -> None:
            while not stop.is_set():
                with lock:
                    index = next(todo, None)
                if index is None:
                    return
                begun = clock.monotonic()
                frame = self._frame(index)
                try:
                    events = list(frame.events())
                except BaseException as error:
                    done.put((index, None, [], error, 0.0))
                    return
                done.put((index, frame, events, None, clock.monotonic() - begun))

        width = min(self.node.width, len(self.items), self.context.shared.limits.threads * 3)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(width)]
        for thread in threads:
            thread.start()
        failure = None
        forget = self.context.cancel.on_cancel(lambda: done.put(None))
        try:
            for _ in range(len(self.items)):
                message = done.get()
                if message is None:
                    raise NodeError("stopped", "Stopped")
                index, frame, events, error, seconds = message
                if error is not None:
                    raise error
                yield from events
                if frame.paused:
                    raise NodeError("human input cannot wait inside a parallel iteration; make it sequential",
                                    "PauseNotSupportedError")
                failure = self._close(index, frame, seconds)
                if failure is not None:
                    break
        finally:
            stop.set()
            forget()
        if failure is not None:
            self.results = {}
        return failure


__all__ = ["Iteration", "PausedJob", "cost"]
