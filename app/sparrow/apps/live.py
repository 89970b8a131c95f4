"""Runs in progress: their events, who listens to them, and how to stop them.

A run is worked on by a thread of its own. Listeners come and go; none of them holds it up or ends it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from sparrow import clock, ids
from sparrow.apps import signals
from sparrow.errors import TooManyRequests

log = logging.getLogger(__name__)

MAX_RUNS = 200
PING_SECONDS = 10.0

Event = dict[str, Any]


class Live:
    """One run in progress. `work` fills `result` (the blocking reply) or `error`, and emits events."""

    def __init__(self, app_id: str, end_user_id: str, *, task_id: str | None = None, run_id: str | None = None):
        self.task_id = task_id or ids.new_id()
        self.app_id = app_id
        self.end_user_id = end_user_id
        self.run_id = run_id
        self.started = clock.now()
        self.result: dict[str, Any] | None = None
        self.error: Event | None = None
        self.stopped = threading.Event()
        self._on_stop: list[Callable[[], None]] = []
        self.done = False
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._listeners = 0

    def emit(self, event: Event) -> None:
        """Tell every listener, now and later."""
        self._events.append(event)
        self._tell()

    def finish(self) -> None:
        """Tell listeners that nothing follows."""
        self.done = True
        self._tell()

    def _tell(self) -> None:
        # A listener counts itself before it looks, this looks for listeners after the change: none misses it.
        if self._listeners:
            with self._changed:
                self._changed.notify_all()

    def stop(self) -> None:
        """Ask the run to end; it does at its next chunk or node, within a second."""
        self.stopped.set()
        for call in list(self._on_stop):
            call()

    def when_stopped(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call something when the run is asked to end, at once if it was already; return what forgets it."""
        self._on_stop.append(call)
        if self.stopped.is_set():
            call()

        def forget() -> None:
            with suppress(ValueError):
                self._on_stop.remove(call)

        return forget

    def wait(self) -> None:
        """Return when the run has ended."""
        if self.done:
            return
        with self._listening():
            self._changed.wait_for(lambda: self.done)

    def listen(self, start: int = 0) -> Iterator[list[Event]]:
        """Yield the events from `start` on in batches as they come; an empty batch is a ping."""
        position = start
        while True:
            with self._listening():
                self._changed.wait_for(lambda at=position: self.done or len(self._events) > at, PING_SECONDS)
                done = self.done  # before the events, which come before it
                batch = self._events[position:]
            position += len(batch)
            if batch or not done:
                yield batch
            if done:
                return

    @contextmanager
    def _listening(self) -> Iterator[None]:
        with self._changed:
            self._listeners += 1
            try:
                yield
            finally:
                self._listeners -= 1


_live: dict[str, Live] = {}
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_own: str | None = None


def owner() -> str:
    """Return the mark of this process in rows of what it works on: machine, pid and start time, so never reused."""
    global _own
    if _own is None:
        _own = _mark(os.getpid())
    return _own


def is_alive(mark: str) -> bool | None:
    """Tell whether the process that left a mark still runs; None if it was one of another machine (or of this one
    before it was started again), of which nothing can be known from here."""
    machine, _, rest = mark.partition(":")
    if machine != _machine():
        return None
    pid = rest.partition(":")[0]
    return pid.isdigit() and _mark(int(pid)) == mark


@cache
def _machine() -> str:
    """Return what tells this start of this machine, and this container on it, from others."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return f"{file.read()[:8]}-{os.stat('/proc/self/ns/pid').st_ino}"


def _mark(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return f"{_machine()}:{pid}:{file.read().rpartition(')')[2].split()[19]}"
    except OSError:
        return f"{_machine()}:{pid}:"


def check_room() -> None:
    """Raise TooManyRequests when the box has enough to do; call it before anything is stored."""
    if len(_live) >= MAX_RUNS:
        raise TooManyRequests("Too many requests. Please try again later.")


def start(run: Live, work: Callable[[Live], None], *, here: bool = False) -> Live:
    """Begin to work on a run in a thread of its own; or do it all in this one, which would only wait for it."""
    with _lock:
        _live[run.task_id] = run
    signals.watch(_live, _stop_here)
    if here:
        _work(run, work)
    else:
        later(_work, run, work)
    return run


def later(work: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a thread of its own."""
    global _pool
    if _pool is None:
        with _lock:
            _pool = _pool or ThreadPoolExecutor(MAX_RUNS, thread_name_prefix="run")
    _pool.submit(work, *arguments)


def by_task(task_id: str) -> Live | None:
    """Return a run in progress by its task id."""
    return _live.get(task_id)


def by_run(run_id: str) -> Live | None:
    """Return a run in progress by its workflow run id."""
    return next((run for run in list(_live.values()) if run.run_id == run_id), None)


def stop(task_id: str, app_id: str, end_user_id: str | None = None) -> None:
    """Stop a task of an app (and of a user, if given), whichever process works on it; an unknown or finished one is
    no error."""
    if not _stop_here(task_id, app_id, end_user_id) and ids.is_uuid(task_id):
        signals.ask(task_id, app_id, end_user_id)


def _stop_here(task_id: str, app_id: str, end_user_id: str | None) -> bool:
    run = _live.get(task_id) or by_run(task_id)
    if run is not None and run.app_id == app_id and end_user_id in (None, run.end_user_id):
        run.stop()
    return run is not None


def count() -> int:
    """Return how many runs are in progress."""
    return len(_live)


def wait_for_all() -> None:
    """Return when no run of this process is in progress."""
    while running := list(_live.values()):
        running[0].wait()


def _work(run: Live, work: Callable[[Live], None]) -> None:
    try:
        work(run)
    except BaseException:
        log.exception("run %s", run.task_id)
    finally:
        with _lock:
            _live.pop(run.task_id, None)
        run.finish()


def _forget() -> None:
    global _pool, _own, _lock
    _live.clear()
    signals.forget()
    _pool, _own, _lock = None, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
