"""Stop requests for runs that another process of the box works on: small files in the run folder, one a task.

The process that has the run sees its file within a third of a second. Nothing is read while nothing runs.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from sparrow import settings

log = logging.getLogger(__name__)

_EVERY = 0.3
_KEPT = 10.0  # seconds a request waits for its run
_awake = threading.Event()
_watcher: threading.Thread | None = None


def ask(task_id: str, app_id: str, end_user_id: str | None) -> None:
    """Leave a request for whoever works on a task; without effect if nobody does."""
    folder = _folder()
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        for path in folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT:
                    path.unlink()
        new = folder / f".{task_id}"
        new.write_text(json.dumps([app_id, end_user_id]))
        new.rename(folder / task_id)
    except OSError as error:
        log.warning("no other process can be asked to stop a run: %s", error)


def watch(running: Collection[str], stop: Callable[[str, str, str | None], None]) -> None:
    """Look for requests as long as something is running; `stop` gets task, app and user and ignores what is not its."""
    global _watcher
    if _awake.is_set():
        return
    _awake.set()
    if _watcher is None:
        _watcher = threading.Thread(target=_watch, args=(running, stop), name="stop-requests", daemon=True)
        _watcher.start()


def forget() -> None:
    """Begin anew in a forked process."""
    global _watcher
    _watcher = None
    _awake.clear()


def _watch(running: Collection[str], stop: Callable[[str, str, str | None], None]) -> None:
    while True:
        _awake.wait()
        while running:
            time.sleep(_EVERY)
            _look(stop)
        _awake.clear()
        if running:
            _awake.set()


def _look(stop: Callable[[str, str, str | None], None]) -> None:
    with suppress(OSError):
        for path in _folder().iterdir():
            if path.name[0] != ".":
                with suppress(OSError, ValueError, TypeError):
                    stop(path.name, *json.loads(path.read_text()))


def _folder() -> Path:
    return settings.get().run_dir / "stop"
