"""What a run of a graph leaves in the database: the run, and each node as it ends."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from sparrow import clock
from sparrow.apps import live
from sparrow.apps.order import Turn
from sparrow.apps.record import shown
from sparrow.engine import events as ev
from sparrow.storage import db
from sparrow.storage.tables.runs import node_executions, workflow_runs

log = logging.getLogger(__name__)

# Nodes are written in batches, at the latest after this many seconds: a power cut costs at most that much.
_FLUSH_SECONDS = 1.0


class Trail:
    """Records one run."""

    def __init__(self, turn: Turn, position: int = 0):
        self._run_id = turn.run_id
        self._rows: list[dict[str, Any]] = []
        self._position = position
        self._lock = threading.Lock()  # taken after the database's own

    def node(self, event: ev.NodeFinished | ev.NodeRetry) -> None:
        """Keep a node that ended or an attempt that failed."""
        finished = isinstance(event, ev.NodeFinished)
        self._position += 1
        row = {
            "run_id": self._run_id, "position": self._position, "execution_id": event.id, "node_id": event.node_id,
            "node_type": event.node_type, "title": event.title, "status": event.status if finished else "retry",
            "inputs": event.inputs, "process_data": event.process_data, "outputs": event.outputs, "error": event.error,
            "elapsed_time": event.elapsed, "metadata": event.metadata,
            "container_id": event.iteration_id or event.loop_id,
            "container_index": None if not finished else event.iteration_index if event.iteration_id is not None
            else event.loop_index,
            "created_at": event.started_at, "finished_at": event.at}
        with self._lock:
            self._rows.append(row)
        if len(self._rows) == 1:
            _write_later(self)

    def flush(self, tx) -> None:
        """Write what has been kept."""
        with self._lock:
            if self._rows:
                tx.execute(node_executions.insert(), self._rows)
                self._rows = []
            _behind.discard(self)

    def end(self, tx, event: ev.RunFinished | ev.RunPaused) -> None:
        """Write how the run ended, or that it waits."""
        self.flush(tx)
        values = {"outputs": event.outputs, "elapsed_time": event.elapsed, "total_tokens": event.total_tokens,
                  "total_steps": event.total_steps}
        if isinstance(event, ev.RunPaused):
            values.update(status="paused", state=event.state, owner="")
        else:
            values.update(status=event.status, error=event.error, exceptions_count=event.exceptions_count,
                          finished_at=event.at, state=None)
        tx.execute(workflow_runs.update().where(workflow_runs.c.id == self._run_id).values(**values))


# --- the one thread that writes what runs have kept for too long, however long their next node takes

_behind: set[Trail] = set()
_late = threading.Event()
_writer: threading.Thread | None = None


def _write_later(trail: Trail) -> None:
    global _writer
    _behind.add(trail)
    _late.set()
    if _writer is None:
        _writer = threading.Thread(target=_write_late, name="trails", daemon=True)
        _writer.start()


def _write_late() -> None:
    while True:
        _late.wait()
        _late.clear()
        time.sleep(_FLUSH_SECONDS)
        for trail in list(_behind):
            try:
                with db.write() as tx:
                    trail.flush(tx)
            except Exception:
                log.exception("nodes of a run could not be written yet")


def _forget() -> None:
    global _writer, _late
    _writer, _late = None, threading.Event()
    _behind.clear()


os.register_at_fork(after_in_child=_forget)


def begin(turn: Turn, system: dict[str, Any], tx) -> None:
    """Write that a run begins."""
    order = turn.order
    inputs = shown(turn.inputs)
    inputs.update({f"sys.{name}": [file.to_dict() for file in value] if name == "files" else value
                   for name, value in system.items()})
    tx.execute(workflow_runs.insert().values(
        id=turn.run_id, app_id=order.app.id, version_id=turn.definition.version_id,
        message_id=turn.message_id if turn.conversation_id else None, end_user_id=order.user.id,
        triggered_from=order.trigger or ("debugging" if order.debug else "app-run"), created_from=order.source,
        status="running", inputs=inputs, owner=live.owner(), created_at=turn.started))


def fail(run_id: str, error: str) -> None:
    """Write that a run ended with an error outside its nodes."""
    with db.write() as tx:
        tx.execute(workflow_runs.update().where(workflow_runs.c.id == run_id).values(
            status="failed", error=error, finished_at=clock.now()))
