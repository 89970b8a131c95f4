"""A throw-away MariaDB server of Debian's package for the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import free_port


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a port of the loopback and yield the address of its empty database; skip where MariaDB is not
    installed."""
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if program is None:
        pytest.skip("MariaDB is not installed")
    folder, port = Path(f"/tmp/sparrow-mariadb-{os.getpid()}"), free_port()  # its socket needs a short path
    folder.mkdir()
    user = []
    if os.geteuid() == 0:  # it refuses to run as root; its package made a user for it
        shutil.chown(folder, "mysql")
        user = ["--user=mysql"]
    data = f"--datadir={folder}/data"
    try:
        subprocess.run(["mariadb-install-db", "--no-defaults", data, *user, "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        process = subprocess.Popen(
            [program, "--no-defaults", data, *user, f"--socket={folder}/socket", f"--port={port}",
             "--bind-address=127.0.0.1", f"--pid-file={folder}/pid"], stderr=subprocess.DEVNULL)
        try:
            _wait(port, process)
            subprocess.run(["mariadb", "--no-defaults", f"--socket={folder}/socket", "-u", "root", "-e",
                            "CREATE DATABASE shop CHARACTER SET utf8mb4"], check=True)
            yield f"mysql://root@localhost:{port}/shop"
        finally:
            process.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):  # of a tenth of a second: a busy machine starts slowly
        assert process.poll() is None, "MariaDB ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("MariaDB did not start")
