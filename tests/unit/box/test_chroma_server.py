"""Chroma's server as supervisord starts it: by the launcher, which becomes it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import free_port

pytest.importorskip("chromadb_rust_bindings")


@pytest.fixture
def server(tmp_path):
    """Return the folder of a running server and its process."""
    port, folder = free_port(), tmp_path / "data" / "chroma"
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "sparrow.box.launch", "chroma"], stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "SPARROW_DATA_DIR": str(tmp_path / "data"),
             "SPARROW_RUN_DIR": str(tmp_path / "run"), "SPARROW_CHROMA_PORT": str(port)})
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=1)
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield folder, process
    finally:
        process.kill()
        process.wait()


def test_the_server_holds_its_folder(server):
    folder, process = server
    with open(folder / ".lock", "rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.terminate()
        process.wait(10)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_server_keeps_nothing_of_the_launcher(server):
    _, process = server
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        module = file.read().split(b"\0")[3].decode()
    loaded = subprocess.run([sys.executable, "-P", "-c", f"import json, sys, {module}; "
                             "print(json.dumps([name for name in sys.modules if name.startswith('sparrow')]))"],
                            capture_output=True, text=True, check=True).stdout
    assert json.loads(loaded) == ["sparrow", "sparrow.box", module] == ["sparrow", "sparrow.box",
                                                                      "sparrow.box.chroma_server"]
