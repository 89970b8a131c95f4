"""How the box is: one answer, used by the health page, the screen and `sparrow health`."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from sparrow import __version__, clock
from sparrow import settings as _settings
from sparrow.box import boot, control
from sparrow.errors import SparrowError, Unavailable
from sparrow.settings import Settings

FRESH = 1.0  # seconds an answer is given again
DISK_LOW, DISK_FULL = 0.05, 0.01  # parts of the disk left
_DISK_FLOOR = 64 << 20  # bytes below which a disk of any size is full
# What stops without a program, and what does not.
_MEANS = {
    "api": ("error", "Nothing answers but this page."),
    "redis": ("degraded", "New background jobs start up to half a minute late, or not at all."),
    "worker": ("degraded", "Documents are not indexed and other background jobs wait."),
    "chroma": ("degraded", "Searching knowledge bases is slower, or finds less."),
    "caddy": ("error", "The box cannot be reached from the network."),
    "screen": ("degraded", "The box's own screen shows nothing."),
}
_BAD = {"FATAL": "failed and was given up after many tries", "BACKOFF": "keeps failing at its start",
        "EXITED": "has ended", "STOPPED": "is stopped", "STOPPING": "is stopping", "UNKNOWN": "is in an unknown state"}

#: The problem of an API that runs but does not answer.
SILENT = {"level": "error", "what": "api", "detail": "",
          "message": "The API does not answer yet. Wait a minute; if this stays, restart the box."}

_lock = threading.Lock()
_last: tuple[float, dict[str, Any]] | None = None


def status() -> dict[str, Any]:
    """Return the state of the box, at most a second old.

    {"status": "ok"|"degraded"|"error", "version", "time", "programs": […], "disk": {"total", "free"},
    "memory": {"total", "available"}, "database": {"writable"}, "problems": [{"level", "what", "message", "detail"}]};
    sizes in bytes. A message says what to do; the detail, often empty, is what a log says.
    """
    global _last
    with _lock:
        if _last is None or clock.monotonic() - _last[0] > FRESH:
            _last = (clock.monotonic(), _look(_settings.get()))
        return _last[1]


def public(problems: list[dict[str, str]]) -> dict[str, Any]:
    """Return what everybody may know of the box, {"status", "version", "problems"}: nothing that is in a log."""
    known = [{key: problem[key] for key in ("level", "what", "message")} for problem in problems]
    return {"status": worst(problems), "version": __version__, "problems": known}


def text(problem: dict[str, str]) -> str:
    """Return a problem as one line: what it is, what to do, and the detail."""
    return f"{problem['message']} ({problem['detail']})" if problem["detail"] else problem["message"]


def judge_programs(programs: list[dict[str, Any]], settings: Settings) -> list[dict[str, str]]:
    """Return the problems among the programs as supervisord sees them."""
    problems = []
    for program in programs:
        name, state = program["name"], program["state"]
        if state == "RUNNING" or (name in control.WANTED and not program.get("wanted")):
            continue
        if name == "redis" and not settings.own_redis:
            continue
        level, consequence = _MEANS.get(name, ("degraded", ""))
        if state == "STARTING":
            problems.append(_problem("degraded", name, f"{name} is starting."))
        else:
            doing = ("Look at its log (`sparrow logs " + name + "`) and restart the box."
                     if state == "FATAL" else "It is started again by itself.")
            problems.append(_problem(level, name, f"{name} {_BAD.get(state, state)}. {consequence} {doing}",
                                     program.get("detail") or ""))
    return problems


def judge_data(settings: Settings) -> tuple[dict[str, int], list[dict[str, str]]]:
    """Return the size of the data disk and the problems with it."""
    try:
        facts = os.statvfs(settings.data_dir)
    except OSError as error:
        return {"total": 0, "free": 0}, [_problem("error", "data", (
            f"The data folder {settings.data_dir} cannot be used ({error.strerror}). Is the data partition there? "
            "Restart the box; if that does not help, check the disk."))]
    total, free = facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize
    problems = []
    if facts.f_flag & os.ST_RDONLY:
        problems.append(_problem("error", "data", (
            "The data partition is read-only: the system set it so after an error. Nothing can be saved. "
            "Restart the box, which checks the file system; if this stays, replace the disk.")))
    # Early boot knows better why it is missing.
    problems += [] if settings.dev else boot.problems()
    known = settings.dev or any(problem["what"] == "data" for problem in problems)
    if not known and _file_system(settings.data_dir) in ("tmpfs", "ramfs", "rootfs"):
        problems.append(_problem("error", "data", (
            "The data partition is missing: the box works from memory, and all is lost when it is switched off. "
            "Check the disk and restart.")))
    if free < min(max(total * DISK_FULL, _DISK_FLOOR), total / 2):
        problems.append(_problem("error", "disk", (
            f"The disk is full: {free >> 20} MB left. Nothing more can be saved. Delete backups, files or "
            "documents, or use a larger disk.")))
    elif free < total * DISK_LOW:
        problems.append(_problem("degraded", "disk", (
            f"The disk is almost full: {free >> 20} MB left. Delete backups, files or documents, or use a "
            "larger disk.")))
    return {"total": total, "free": free}, problems


def worst(problems: list[dict[str, str]]) -> str:
    """Return "ok", "degraded" or "error"."""
    levels = {problem["level"] for problem in problems}
    return "error" if "error" in levels else "degraded" if levels else "ok"


def _look(settings: Settings) -> dict[str, Any]:
    problems = []
    try:
        programs = control.status()["programs"]
        problems += judge_programs(programs, settings)
    except Unavailable as error:
        programs = []
        problems.append(_problem("degraded", "screen", f"The state of the programs is unknown. {error.message}"))
    disk, of_data = judge_data(settings)
    problems += of_data
    writable, of_database = _database(settings)
    problems += of_database
    return {"status": worst(problems), "version": __version__, "time": int(clock.now()), "programs": programs,
            "disk": disk, "memory": _memory(), "database": {"writable": writable}, "problems": problems}


def _database(settings: Settings) -> tuple[bool, list[dict[str, str]]]:
    """Try to begin a write; commit nothing, so that no page reaches the disk."""
    from sparrow.storage import db

    try:
        with db.write():
            pass
        if settings.database_url.startswith("sqlite") and not os.access(settings.db_dir, os.W_OK):
            raise Unavailable(f"{settings.db_dir} may not be written to.")
    except Exception as error:
        text = error.message if isinstance(error, SparrowError) else str(error).split("\n")[0]
        return False, [_problem("error", "database", (
            f"The database cannot be written to: {text} If the disk is not full, restart the box; "
            "if this stays, restore a backup."))]
    return True, []


def _memory() -> dict[str, int]:
    """Return the memory of the machine in bytes."""
    facts = {}
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                facts[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError):
        pass
    return {"total": facts.get("MemTotal", 0), "available": facts.get("MemAvailable", 0)}


def _file_system(path: Path) -> str:
    """Return the type of the file system a path is on ("ext4")."""
    best, kind = "", ""
    try:
        real = os.path.realpath(path)
        for line in Path("/proc/mounts").read_text().splitlines():
            _, place, name, *_ = line.split()
            inside = place == "/" or real == place or real.startswith(place + "/")
            if inside and len(place) >= len(best):
                best, kind = place, name
    except (OSError, ValueError):
        pass
    return kind


def _problem(level: str, what: str, message: str, detail: str = "") -> dict[str, str]:
    return {"level": level, "what": what, "message": " ".join(message.split()), "detail": detail}
