"""One frame of a run: the nodes of one scope, scheduled until nothing is left to do.

The frame's own thread keeps all state (edges, pool, streaming). It also runs nodes itself as long as there is
one at a time; only when two are ready at once do they get threads, which send what they yield through a queue.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sparrow import clock
from sparrow.characters import whole
from sparrow.engine import events as ev
from sparrow.engine.context import Context, Shared
from sparrow.engine.graph import Edge, Scope
from sparrow.engine.nodes.base import Chunk, Node, NodeError, Paused, Result, as_node_error
from sparrow.engine.pool import Pool
from sparrow.engine.ports import Cancel
from sparrow.engine.streaming import SKIPPED, TAKEN, Streamer
from sparrow.engine.totals import Totals, usage_dict
from sparrow.engine.values import files_in, jsonable
from sparrow.ids import new_id
from sparrow.messages import Usage


@dataclass(slots=True)
class Tags:
    """Where in a container a frame runs; its node events carry this."""

    iteration_id: str | None = None
    iteration_index: int | None = None
    loop_id: str | None = None
    loop_index: int | None = None

    def metadata(self) -> dict[str, Any]:
        """Return what execution_metadata says of it."""
        if self.iteration_id is not None:
            return {"iteration_id": self.iteration_id, "iteration_index": self.iteration_index}
        if self.loop_id is not None:
            return {"loop_id": self.loop_id, "loop_index": self.loop_index}
        return {}


@dataclass(slots=True)
class Job:
    """One execution of a node."""

    node: Node
    context: Context
    started_at: float
    started: float
    attempt_started: float = 0.0
    done: bool = False


@dataclass(slots=True)
class Failure:
    """The error that ended a frame."""

    error: str
    error_type: str


@dataclass(slots=True)
class PausedJob:
    """A node that waits: why, and what it needs to go on (a container's progress)."""

    node_id: str
    reasons: list[dict[str, Any]]
    state: Any = None


@dataclass(slots=True)
class _Done:
    """Sent through the queue by a thread that is through with its node."""

    result: Result | None
    error: BaseException | None = None


@dataclass(slots=True)
class Frame:
    """Runs one scope once. After `events()` is exhausted, read `failure`, `stopped`, `paused`, `outputs`."""

    shared: Shared
    scope: Scope
    pool: Pool
    root: str
    cancel: Cancel
    tags: Tags = field(default_factory=Tags)
    totals: Totals = field(default_factory=Totals)
    outputs: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    stopped: bool = False
    loop_ended: bool = False
    paused: list[PausedJob] = field(default_factory=list)
    resumed: dict[str, Any] = field(default_factory=dict)
    edges: bytearray = field(init=False)
    states: dict[str, str] = field(default_factory=dict)
    streamer: Streamer = field(init=False)
    _ready: deque[str] = field(default_factory=deque)
    _running: dict[int, Job] = field(default_factory=dict)
    _queue: queue.SimpleQueue | None = None

    def __post_init__(self) -> None:
        self.edges = bytearray(len(self.scope.edges))
        self.streamer = Streamer(self.scope, self.root, self.pool, self.edges, self.states)

    def events(self) -> Iterator[ev.Event]:
        """Run everything, yielding what happens."""
        if not self.states:
            self._ready.append(self.root)
            for identity, node in self.scope.nodes.items():
                if node.kind == "root" and identity != self.root:
                    self._skip(identity)
        forget = self.cancel.on_cancel(self._wake)
        try:
            while self.failure is None and not self.cancel.cancelled:
                if self._ready and (self._running or len(self._ready) > 1) and self._start_thread():
                    yield from self._begin(self._running[next(reversed(self._running))])
                elif self._ready and not self._running:
                    yield from self._inline(self._ready.popleft())
                elif self._running:
                    yield from self._receive()
                else:
                    break
            if self.cancel.cancelled and self.failure is None:
                self.stopped = True
            if self._running:
                yield from self._abandon()
        finally:
            forget()

    # --- running nodes

    def _job(self, identity: str) -> Job:
        node = self.scope.nodes[identity]
        context = Context(self.shared, self, self.pool, self.cancel, node, new_id())
        self.states[identity] = "running"
        now = clock.monotonic()
        return Job(node, context, clock.now(), now, now)

    def _begin(self, job: Job) -> Iterator[ev.Event]:
        self.totals.steps += 1
        if self.totals.steps > self.shared.limits.max_steps:
            limit = self.shared.limits.max_steps
            self.failure = Failure(f"Maximum execution steps exceeded: {limit + 1} > {limit}", "LimitError")
            return
        node = job.node
        if node.type in ("iteration-start", "loop-start"):
            return
        tags = self.tags
        yield ev.NodeStarted(
            job.context.execution_id, node.id, node.type, node.title, job.started_at, tags.iteration_id,
            tags.iteration_index, tags.loop_id, tags.loop_index,
            node.agent_strategy(), node.extras(), node.kind == "container",
        )

    def _inline(self, identity: str) -> Iterator[ev.Event]:
        job = self._job(identity)
        yield from self._begin(job)
        if self.failure is not None:
            return
        try:
            result = yield from self._forward(job)
        except Exception as error:
            yield from self._failed(job, error)
        else:
            yield from self._succeeded(job, result)

    def _forward(self, job: Job) -> Iterator[ev.Event]:
        """Run a node here, passing on what it yields; return its Result."""
        steps = self._attempts(job)
        try:
            while True:
                try:
                    item = next(steps)
                except StopIteration as end:
                    return end.value
                yield from self._item(job, item)
        finally:
            steps.close()

    def _item(self, job: Job, item: Any) -> Iterator[ev.Event]:
        if type(item) is Chunk:
            yield from self.streamer.chunk(job.node.id, item.name, whole(item.text), item.final)
        else:
            kind = type(item)
            if kind is ev.AgentLog:
                item.data = whole(item.data)
            if kind is ev.NodeRetry and item.id == job.context.execution_id:  # a container's children count in theirs
                self.totals.steps += 1
                self.totals.exceptions += 1
            yield item

    def _attempts(self, job: Job) -> Iterator[Any]:
        """Yield what the node yields, trying again as its retry settings say; return its Result."""
        node, context = job.node, job.context
        tries = 0
        while True:
            job.attempt_started = clock.monotonic()
            try:
                if node.streams:
                    return (yield from node.steps(context))
                return node.run(context)
            except Paused:
                raise
            except Exception as error:
                if tries >= node.max_retries or self.cancel.cancelled:
                    raise
                tries += 1
                failed = as_node_error(error)
                if self.cancel.wait(node.retry_seconds):
                    raise
                tags = self.tags
                yield ev.NodeRetry(
                    context.execution_id, node.id, node.type, node.title, tries, str(failed), failed.error_type,
                    jsonable(failed.inputs or {}), jsonable(failed.process_data or {}), jsonable(failed.outputs or {}),
                    self._metadata(failed.metadata), job.started_at, clock.now(),
                    clock.monotonic() - job.attempt_started, tags.iteration_id, tags.loop_id,
                )

    # --- threads

    def _start_thread(self) -> bool:
        if len(self._running) >= self.shared.limits.threads or not self.shared.threads.acquire(blocking=False):
            return False
        if self._queue is None:
            self._queue = queue.SimpleQueue()
        job = self._job(self._ready.popleft())
        self._running[id(job)] = job
        threading.Thread(target=self._work, args=(job, self._queue), daemon=True).start()
        return True

    def _work(self, job: Job, out: queue.SimpleQueue) -> None:
        steps = self._attempts(job)
        try:
            while not self.cancel.cancelled:
                try:
                    item = next(steps)
                except StopIteration as end:
                    out.put((job, _Done(end.value)))
                    return
                out.put((job, item))
            steps.close()
        except BaseException as error:
            out.put((job, _Done(None, error)))
        finally:
            self.shared.threads.release()

    def _wake(self) -> None:
        if self._queue is not None:
            self._queue.put(None)

    def _receive(self) -> Iterator[ev.Event]:
        message = self._queue.get()
        if message is None:
            return
        job, item = message
        if type(item) is not _Done:
            yield from self._item(job, item)
            return
        del self._running[id(job)]
        if item.error is None:
            yield from self._succeeded(job, item.result)
        elif isinstance(item.error, Exception):
            yield from self._failed(job, item.error)
        else:
            raise item.error

    def _abandon(self) -> Iterator[ev.Event]:
        """Leave the threads that still run to themselves; they see the cancelled frame and end."""
        self.cancel.cancel("The run has ended.")
        for job in self._running.values():
            yield self._finished(job, "stopped", NodeError("stopped", "Stopped"), silent=True)
        self._running.clear()

    # --- what follows

    def _succeeded(self, job: Job, result: Result) -> Iterator[ev.Event]:
        node = job.node
        self.states[node.id] = "done"
        result.outputs = whole(result.outputs)
        self.pool.set_all(node.id, result.outputs)
        self.totals.add(result.usage)
        quiet = node.type in ("iteration-start", "loop-start")
        chunks = self.streamer.flush()
        taken = self.scope.out.get(node.id)
        if taken:
            chunks += self._leave(node, taken, result.handle)
        yield from chunks
        if node.kind == "reply":
            self._reply(jsonable(result.outputs))
        if node.type == "loop-end":
            self.loop_ended = True
            self._ready.clear()
        if not quiet:
            yield self._finished(job, "succeeded", result)

    def _reply(self, outputs: dict[str, Any]) -> None:
        """Merge a reply's outputs into the frame's; answers are joined."""
        for key, value in outputs.items():
            if key == "answer" and self.outputs.get("answer"):
                value = f"{self.outputs['answer']}{value}"
            self.outputs[key] = value

    def _failed(self, job: Job, error: Exception) -> Iterator[ev.Event]:
        node = job.node
        if isinstance(error, Paused):
            self.states[node.id] = "paused"
            self.paused.append(PausedJob(node.id, error.reasons, error.state))
            if error.event is not None:
                yield error.event
            return
        if self.cancel.cancelled:
            self.stopped = True
            yield self._finished(job, "stopped", as_node_error(error), silent=True)
            return
        failed = as_node_error(error)
        self.totals.exceptions += 1
        self.totals.add(failed.usage)
        if node.strategy not in ("fail-branch", "default-value"):
            self.states[node.id] = "failed"
            self.failure = Failure(str(failed), failed.error_type)
            yield self._finished(job, "failed", failed)
            return
        if node.kind == "branch" and node.strategy == "default-value":  # values in its place choose no way out
            self.states[node.id] = "failed"
            self.failure = Failure(f"Branch node {node.id} did not select any edge", "ValueError")
            yield self._finished(job, "failed", failed, silent=True)
            return
        self.states[node.id] = "done"
        outputs = dict(node.defaults)
        outputs |= {"error_message": str(failed), "error_type": failed.error_type}
        failed.outputs = outputs
        failed.metadata = {"error_strategy": node.strategy}
        self.pool.set_all(node.id, outputs)
        taken = self.scope.out.get(node.id)
        if taken:
            handle = "fail-branch" if node.strategy == "fail-branch" else "source"
            yield from self._leave(node, taken, handle)
        yield self._finished(job, "exception", failed)

    def _leave(self, node: Node, edges: list[Edge], handle: str) -> list[ev.TextChunk]:
        """Settle a finished node's outgoing edges; return the text this sets free."""
        if node.kind == "branch" or node.strategy == "fail-branch":
            for edge in edges:
                if edge.handle != handle:
                    self.edges[edge.index] = SKIPPED
                    self._after_skip(edge.target)
            edges = [edge for edge in edges if edge.handle == handle]
        chunks: list[ev.TextChunk] = []
        for edge in edges:
            self.edges[edge.index] = TAKEN
            chunks += self.streamer.edge_taken(edge.index)
            if self.states.get(edge.target) is None and self._is_ready(edge.target):
                self._queue_node(edge.target)
        return chunks

    def _is_ready(self, identity: str) -> bool:
        return all(self.edges[edge.index] for edge in self.scope.into.get(identity, ()))

    def _queue_node(self, identity: str) -> None:
        self.states[identity] = "ready"
        self._ready.append(identity)

    def _skip(self, identity: str) -> None:
        """Mark a node as skipped, and all that only it leads to."""
        todo = [identity]
        while todo:
            name = todo.pop()
            if self.states.get(name) is not None:
                continue
            self.states[name] = "skipped"
            for edge in self.scope.out.get(name, ()):
                self.edges[edge.index] = SKIPPED
                if self._after_skip(edge.target, defer=True):
                    todo.append(edge.target)

    def _after_skip(self, identity: str, defer: bool = False) -> bool:
        """Look at the target of a skipped edge: it may be ready now, or dead. Return whether it is dead."""
        if self.states.get(identity) is not None:
            return False
        edges = self.scope.into[identity]
        if not all(self.edges[edge.index] for edge in edges):
            return False
        if any(self.edges[edge.index] == TAKEN for edge in edges):
            self._queue_node(identity)
            return False
        if not defer:
            self._skip(identity)
        return True

    # --- records

    def _metadata(self, own: dict[str, Any] | None) -> dict[str, Any] | None:
        tags = self.tags.metadata()
        return {**(own or {}), **tags} or None

    def _finished(self, job: Job, status: str, what: Result | NodeError, silent: bool = False) -> ev.NodeFinished:
        node, tags = job.node, self.tags
        outputs = jsonable(what.outputs or {})
        failed = isinstance(what, NodeError)
        return ev.NodeFinished(
            job.context.execution_id, node.id, node.type, node.title, status, jsonable(what.inputs or {}),
            jsonable(what.process_data or {}), outputs, str(what) if failed else None,
            what.error_type if failed else None, self._metadata(what.metadata), job.started_at, clock.now(),
            clock.monotonic() - job.started, files_in(outputs) if outputs else [], tags.iteration_id,
            tags.iteration_index, tags.loop_id, tags.loop_index, silent or node.kind == "container",
        )

    # --- saving and taking up

    def save(self) -> dict[str, Any]:
        """Return the state of a paused frame as JSON, without its pool."""
        return {
            "root": self.root,
            "edges": list(self.edges),
            "states": self.states,
            "streamer": self.streamer.save(),
            "outputs": self.outputs,
            "steps": self.totals.steps,
            "exceptions": self.totals.exceptions,
            "usage": usage_dict(self.totals.usage),
            "paused": [[job.node_id, job.state] for job in self.paused],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a saved state: paused nodes run again, knowing what they had kept."""
        self.edges[:] = bytes(state["edges"])
        self.states.update(state["states"])
        self.streamer.restore(state["streamer"])
        self.outputs = state["outputs"]
        self.totals.steps = state["steps"]
        self.totals.exceptions = state["exceptions"]
        self.totals.usage = Usage(**state["usage"]) if state["usage"] else None
        for identity, kept in state["paused"]:
            self.resumed[identity] = kept
            self._queue_node(identity)
