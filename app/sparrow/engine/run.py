"""A run: from inputs to a stream of events, and again from a saved pause."""

from __future__ import annotations

import heapq
import json
import threading
import weakref
from collections.abc import Collection, Iterator
from typing import Any

from sparrow import clock
from sparrow.engine import events as ev
from sparrow.engine.context import Limits, Shared
from sparrow.engine.frame import Frame
from sparrow.engine.graph import Graph, GraphError
from sparrow.engine.mask import masked
from sparrow.engine.pool import Pool
from sparrow.engine.ports import Cancel, FormResult, Ports
from sparrow.engine.totals import usage_dict
from sparrow.engine.values import files_in, jsonable, revive
from sparrow.messages import ModelError

# Shown in `workflow_started.inputs`; sys.conversation_id and sys.timestamp exist, but Dify does not list them.
_SHOWN = ("query", "files", "user_id", "app_id", "workflow_id", "workflow_run_id", "dialogue_count")
_STATE_VERSION = 1


def run(graph: Graph, inputs: dict[str, Any], ports: Ports, *, system: dict[str, Any], mode: str = "workflow",
        environment: dict[str, Any] | None = None, conversation: dict[str, Any] | None = None,
        conversation_types: dict[str, str] | None = None, secrets: Collection[str] = (),
        start: str | None = None, cancel: Cancel | None = None, limits: Limits | None = None,
        depth: int = 0) -> Iterator[ev.Event]:
    """Run a graph and yield its events; the caller's thread does the work while it iterates.

    `inputs` are the start variables, checked and converted (`inputs.prepare`). `system` holds the values of
    `sys.*` without the prefix: user_id, app_id, workflow_id, workflow_run_id, files, and query, conversation_id,
    dialogue_count (chatflow) or timestamp (workflow). `environment` and `conversation` are present values by
    name, `conversation_types` their declared types. `secrets` are values to mask in events. `start` chooses
    among several start or trigger nodes. `mode` is workflow or advanced-chat; `depth` counts workflows called
    as tools.

    Raise GraphError at once, before any event, when the graph cannot be run.
    """
    limits = limits or Limits()
    if depth > limits.max_depth:
        raise GraphError(f"Max workflow call depth {limits.max_depth} reached.")
    root = start or graph.starts[0]
    if root not in graph.scopes[None].nodes:
        raise GraphError(f"start node {root} not found")
    _check_models(graph, ports)
    shared = Shared(graph, ports, cancel or Cancel(), limits, system, mode, depth, secrets,
                    threading.BoundedSemaphore(limits.threads * 3))
    pool = Pool()
    pool.nodes["sys"] = dict(system)
    pool.nodes["env"] = dict(environment or {})
    if mode == "advanced-chat":
        pool.nodes["conversation"] = dict(conversation or {})
        pool.types.update({("conversation", name): kind for name, kind in (conversation_types or {}).items()})
    pool.nodes[root] = dict(inputs)
    shown = jsonable(inputs) | {
        f"sys.{name}": jsonable(system[name]) for name in _SHOWN if name in system
    }
    frame = Frame(shared, graph.scopes[None], pool, root, shared.cancel)
    return _drive(frame, ev.RunStarted(shown, "initial", clock.now()), 0.0)


def resume(graph: Graph, state: str, ports: Ports, *, forms: dict[str, FormResult],
           environment: dict[str, Any] | None = None, secrets: Collection[str] = (),
           cancel: Cancel | None = None, limits: Limits | None = None) -> Iterator[ev.Event]:
    """Go on with a run from `RunPaused.state`; `forms` are the results of its forms by form id.

    A form without a result keeps its node waiting: the run pauses again when the rest is done. The environment
    is not part of the state (it holds secrets) and is given again.
    """
    saved = json.loads(state)
    if saved.get("version") != _STATE_VERSION:
        raise GraphError("the saved run was made by another version")
    limits = limits or Limits()
    pool = load_pool(saved["pool"], None)
    pool.nodes["env"] = dict(environment or {})
    shared = Shared(graph, ports, cancel or Cancel(), limits, pool.nodes["sys"], saved["mode"], saved["depth"],
                    secrets, threading.BoundedSemaphore(limits.threads * 3), dict(forms))
    frame = Frame(shared, graph.scopes[None], pool, saved["frame"]["root"], shared.cancel)
    frame.restore(saved["frame"])
    started = ev.RunStarted(saved["inputs"], "resumption", clock.now())
    return _drive(frame, started, saved["elapsed"], saved["answer"])


def _check_models(graph: Graph, ports: Ports) -> None:
    """Fail before the run, as Dify does, when a node names a model that is not set up."""
    if ports.models is None:
        return
    for node in graph.nodes.values():
        for ref in node.models():
            try:
                ports.models.info(ref)
            except ModelError as error:
                raise GraphError(str(error), code="invalid_param") from None


def _drive(frame: Frame, started: ev.RunStarted, before: float, answer: str = "") -> Iterator[ev.Event]:
    events = _events(frame, started, before, answer)
    return masked(events, frame.shared.secrets) if frame.shared.secrets else events


def _events(frame: Frame, started: ev.RunStarted, before: float, answer: str) -> Iterator[ev.Event]:
    begun = clock.monotonic()
    yield started
    outer = frame.shared.cancel
    frame.cancel, detach = outer.child()
    frame.shared.cancel = frame.cancel
    timer = _watch(frame.cancel, frame.shared.limits.max_seconds)
    pieces: list[str] = [answer] if answer else []
    try:
        for event in frame.events():
            if type(event) is ev.TextChunk:
                pieces.append(event.text)
            yield event
    finally:
        detach()
        timer[2] = None
        frame.cancel.cancel("The run has ended.")
    totals = frame.totals
    elapsed = before + clock.monotonic() - begun
    if frame.paused and frame.failure is None and not frame.stopped:
        reasons = [reason for job in frame.paused for reason in job.reasons]
        yield ev.RunPaused(
            [job.node_id for job in frame.paused], reasons, frame.outputs,
            _save(frame, started.inputs, elapsed, "".join(pieces)), elapsed, totals.tokens, totals.steps,
            clock.now(),
        )
        return
    error = error_type = None
    if frame.failure is not None:
        status, error, error_type = "failed", frame.failure.error, frame.failure.error_type
    elif frame.stopped:
        status, error = "stopped", frame.cancel.reason
        if error.startswith("Maximum execution time"):
            status, error_type = "failed", "LimitError"
    else:
        status = "partial-succeeded" if totals.exceptions else "succeeded"
    yield ev.RunFinished(
        status, frame.outputs, error, elapsed, totals.tokens, totals.steps, totals.exceptions,
        files_in(frame.outputs), clock.now(), "".join(pieces), usage_dict(totals.usage), error_type,
    )


def _save(frame: Frame, inputs: dict[str, Any], elapsed: float, answer: str) -> str:
    return json.dumps({
        "version": _STATE_VERSION,
        "mode": frame.shared.mode,
        "depth": frame.shared.depth,
        "inputs": inputs,
        "elapsed": elapsed,
        "answer": answer,
        "pool": save_pool(frame.pool),
        "frame": frame.save(),
    }, ensure_ascii=False, default=str)


def save_pool(pool: Pool) -> dict[str, Any]:
    """Return one layer of a pool as JSON, without the environment."""
    return {
        "nodes": {name: jsonable(values) for name, values in pool.nodes.items() if name != "env"},
        "types": [[*key, kind] for key, kind in pool.types.items()],
    }


def load_pool(saved: dict[str, Any], parent: Pool | None) -> Pool:
    """Return the pool that `save_pool` saved."""
    pool = Pool(parent)
    pool.nodes = {name: revive(values) for name, values in saved["nodes"].items()}
    pool.types = {(node, name): kind for node, name, kind in saved["types"]}
    return pool


# --- the one thread that watches the time of all runs

_timers: list[list[Any]] = []
_timers_changed = threading.Condition()
_watcher: threading.Thread | None = None


def _watch(cancel: Cancel, seconds: float) -> list[Any]:
    """Cancel a run when its time is up; put None in the returned entry's third place to forget it."""
    global _watcher
    text = f"Maximum execution time exceeded: {seconds:g}s"
    entry = [clock.monotonic() + seconds, id(cancel), weakref.ref(cancel), text]
    with _timers_changed:
        heapq.heappush(_timers, entry)
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_watch_all, name="run-timer", daemon=True)
            _watcher.start()
        elif _timers[0] is entry:
            _timers_changed.notify()
    return entry


def _watch_all() -> None:
    while True:
        with _timers_changed:
            while not _timers:
                _timers_changed.wait()
            # Runs that have ended leave their entries behind; drop them before they pile up.
            if len(_timers) > 1000:
                _timers[:] = [entry for entry in _timers if entry[2] is not None]
                heapq.heapify(_timers)
                if not _timers:
                    continue
            wait = _timers[0][0] - clock.monotonic()
            if wait > 0:
                _timers_changed.wait(min(wait, 30.0))
                continue
            entry = heapq.heappop(_timers)
        cancel = entry[2]() if entry[2] is not None else None
        if cancel is not None:
            cancel.cancel(entry[3])
