"""A throw-away PostgreSQL server of Debian's packages for the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest


@dataclass
class Server:
    """A running server; `new_database()` gives the URL of an empty database."""

    socket_dir: Path
    binaries: Path
    user: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        name = f"test{next(self._numbers)}"
        subprocess.run([self.binaries / "createdb", "-h", self.socket_dir, "-U", self.user, name], check=True)
        return f"postgresql+psycopg://{self.user}@/{name}?host={self.socket_dir}"


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run a server in `folder` on a unix socket; skip when PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or (
        [Path(shutil.which("postgres"))] if shutil.which("postgres") else [])
    if not found:
        pytest.skip("PostgreSQL is not installed")
    binaries = found[-1].parent
    # PostgreSQL refuses to run as root; its package made a user for it. Sockets need a short path.
    prefix: list[str] = []
    socket_dir = Path(f"/tmp/sparrow-pg-{os.getpid()}")
    socket_dir.mkdir()
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(socket_dir, "postgres")
    data = socket_dir / "data"
    user = "postgres"
    try:
        subprocess.run([*prefix, binaries / "initdb", "-D", data, "-U", user, "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        process = subprocess.Popen([*prefix, binaries / "postgres", "-D", data, "-k", socket_dir, "-h", "",
                                    "-c", "fsync=off"], stderr=subprocess.DEVNULL, cwd="/")
        try:
            for _ in range(200):
                ready = subprocess.run([binaries / "pg_isready", "-q", "-h", socket_dir])
                if ready.returncode == 0:
                    break
                time.sleep(0.05)
            yield Server(socket_dir, binaries, user)
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(socket_dir, ignore_errors=True)
