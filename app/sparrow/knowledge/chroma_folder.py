"""Heal Chroma's folder before its server starts: what makes it crash again and again is moved aside.

A torn file can crash the server while it loads (chroma #7238). Everything in the folder can be made anew from the
database, so after some starts in short order it begins with an empty one. Standard library only: the launcher
imports this.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

STARTS = 3  # starts within WINDOW that mean a crash loop
WINDOW = 90.0  # seconds
_KEEP = {".lock", ".starts"}
_ASIDE = "aside"


def prepare(folder: Path, *, now: float | None = None) -> bool:
    """Note a start; empty the folder after a crash loop. Return whether it was emptied."""
    now = time.time() if now is None else now
    record = folder / ".starts"
    try:
        starts = [float(entry) for entry in json.loads(record.read_text())]
    except (OSError, ValueError, TypeError):
        starts = []
    starts = [entry for entry in starts if 0 <= now - entry < WINDOW]
    looping = len(starts) >= STARTS or not _is_database(folder / "chroma.sqlite3")
    if looping:
        _empty(folder)
        starts = []
    record.write_text(json.dumps([*starts, now]))
    return looping


def _is_database(file: Path) -> bool:
    """Tell whether a file is missing or begins as an SQLite database whose pages are all there."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(100)
    except FileNotFoundError:
        return True
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        return False
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    return page > 0 and os.path.getsize(file) >= page * int.from_bytes(head[28:32], "big")


def _empty(folder: Path) -> None:
    aside = folder / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for entry in folder.iterdir():
        if entry.name not in _KEEP and entry.name != _ASIDE:
            os.replace(entry, aside / entry.name)
    # Only vectors are in it, and they are in the database: nothing to keep.
    shutil.rmtree(aside, ignore_errors=True)
