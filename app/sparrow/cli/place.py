"""Which data a command works on: the box's own, or a folder that `sparrow dev` uses."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from sparrow.errors import Unavailable


def run_dir(data: Path) -> Path:
    """Return the folder for the sockets of a data folder: short, for a socket's path has at most 107 bytes."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:10]
    path = Path(base, f"sparrow-{os.geteuid()}-{name}")
    if len(os.fsencode(path / "supervisor.sock")) > 100:
        path = Path("/tmp", path.name)
    return path


def use(data: str) -> None:
    """Work on this data folder from now on, together with the `sparrow dev` that runs on it, if any."""
    from sparrow import settings

    path = Path(data).expanduser().absolute()
    if not path.is_dir():
        raise Unavailable(f"There is no folder {path}.")
    try:  # its ports
        with open(run_dir(path) / ".lock") as file:
            if os.fstat(file.fileno()).st_uid == os.geteuid():  # anybody can make a folder in /tmp
                os.environ.update(json.load(file)["environment"])
    except (OSError, ValueError, KeyError):
        pass  # it does not run now
    os.environ["SPARROW_DATA_DIR"] = str(path)
    os.environ["SPARROW_RUN_DIR"] = str(run_dir(path))
    os.environ["SPARROW_DEV"] = "true"
    settings.reset()
