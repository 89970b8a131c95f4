"""Room on the data partition that is given up when the disk is full.

SQLite needs room even to open its database or to delete from it. Without a reserve a box whose disk is full could
not be helped in its console.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sparrow import clock

SIZE = 16 << 20  # bytes
#: Seconds for which the disk must have been full: what fills it shall come to its end without the reserve.
PATIENCE = 60.0
_full_since: float | None = None


def keep(folder: Path, patience: float = PATIENCE) -> None:
    """Give the reserve in `folder` up if the disk stays full, or lay it in again where there is plenty of room."""
    global _full_since
    path = folder / "reserve"
    with contextlib.suppress(OSError):  # another process may do the same; a disk that cannot be used is said elsewhere
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        if free >= SIZE // 2:
            _full_since = None
        elif _full_since is None:
            _full_since = clock.monotonic()
        if _full_since is not None and clock.monotonic() - _full_since >= patience:
            path.unlink(missing_ok=True)
        elif free > 16 * SIZE and not path.exists():
            with path.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
