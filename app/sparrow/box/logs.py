"""Keep what the programs wrote: from the small rings in memory to a small rotated file on the data partition.

Written in one go every few minutes and when something fails, not line by line, to spare flash disks.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from sparrow.settings import Settings

KEEP = 512 << 10  # bytes of a log file on the data partition; one older file is kept


def ship(settings: Settings) -> int:
    """Append what is new in the rings to the files in `log_dir`; return how many bytes. Never raises OSError."""
    return _ship(settings.run_dir / "log", settings.log_dir, settings.run_dir / "screen" / "shipped.json")


def tail(settings: Settings, program: str, lines: int = 50) -> list[str]:
    """Return the last lines of a program's ring, then of its kept file if the ring has none."""
    for folder in (settings.run_dir / "log", settings.log_dir):
        text = ""
        for name in (f"{program}.log.1", f"{program}.log"):
            try:
                text += (folder / name).read_text(errors="replace")
            except OSError:
                pass
        if text:
            return text.splitlines()[-lines:]
    return []


def _ship(rings: Path, kept: Path, marks_file: Path) -> int:
    try:
        marks = json.loads(marks_file.read_text())
    except (OSError, ValueError):
        marks = {}
    total = 0
    try:
        for ring in sorted(rings.glob("*.log")):
            new, marks[ring.name] = _unseen(ring, marks.get(ring.name, [0, 0]))
            if new:
                _append(kept / ring.name, new)
                total += len(new)
        marks_file.write_text(json.dumps(marks))
    except OSError:
        pass  # full or gone: the ring still has it
    return total


def _unseen(ring: Path, mark: list[int]) -> tuple[bytes, list[int]]:
    """Return the bytes after `mark` ([inode, offset]), over one rotation of the ring, and the new mark."""
    inode, offset = mark
    older = b""
    with open(ring, "rb") as file:
        now = os.fstat(file.fileno()).st_ino
        if inode and now != inode:
            try:
                with open(f"{ring}.1", "rb") as rotated:
                    if os.fstat(rotated.fileno()).st_ino == inode:
                        rotated.seek(offset)
                        older = rotated.read()
            except OSError:
                pass
            offset = 0
        elif os.fstat(file.fileno()).st_size < offset:
            offset = 0
        file.seek(offset)
        newer = file.read()
    return older + newer, [now, offset + len(newer)]


def _append(path: Path, content: bytes) -> None:
    if path.exists() and path.stat().st_size + len(content) > KEEP:
        os.replace(path, f"{path}.1")
    with open(path, "ab") as file:
        file.write(content[-KEEP:])
