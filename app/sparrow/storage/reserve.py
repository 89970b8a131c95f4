"""Room on the data partition that is given up when the disk is full.

SQLite needs room even to open its database or to delete from it. Without a reserve a box whose disk is full could
not be helped in its console.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 16 << 20  # bytes


def keep(folder: Path) -> None:
    """Give the reserve in `folder` up if the disk is full, or lay it in again where there is plenty of room."""
    path = folder / "reserve"
    with contextlib.suppress(OSError):  # another process may do the same; a disk that cannot be used is said elsewhere
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        if path.exists():
            if free < SIZE // 2:
                path.unlink()
        elif free > 16 * SIZE:
            with path.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
