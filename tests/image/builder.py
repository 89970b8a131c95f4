"""Run mkimage.sh in a build directory of a test's own, with what is expensive taken from the ordinary one."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ORDINARY = Path(os.environ.get("BUILD_DIR", TOP / "build"))


class Build:
    """A build directory, and mkimage.sh run in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stages = folder / "stages"

    def command(self, *arguments: str) -> list[str]:
        """Return the words that run mkimage.sh with this build directory."""
        return [str(TOP / "mkimage.sh"), "--build-dir", str(self.folder), *arguments]

    def run(self, *arguments: str, timeout: float = 900, **environment: str) -> subprocess.CompletedProcess:
        """Run mkimage.sh to its end; the text of both streams is in `stdout`."""
        return subprocess.run(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
            env={**os.environ, **environment}, check=False,
        )  # fmt: skip

    def take(self, *stages: str, cache: tuple[str, ...] = ()) -> None:
        """Take outputs of stages and parts of the cache from the ordinary build directory, by hard links."""
        for kind, names in (("stages", stages), ("cache", cache)):
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
            for name in names:
                subprocess.run(["cp", "-al", ORDINARY / kind / name, self.folder / kind], check=True)


def prepare(stop_after: str) -> None:
    """Bring the ordinary build directory up to a stage, or skip where it cannot be built."""
    if os.geteuid() != 0:
        pytest.skip("building an image needs root")
    done = subprocess.run(
        [str(TOP / "mkimage.sh"), "--offline", "--stop-after", stop_after, "build"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@contextmanager
def served(folder: Path):
    """Serve a folder over HTTP on a free port of the loopback; yield its address and the paths asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def flip_byte(file: Path, where: float = 0.5) -> None:
    """Change one byte of a file, at a part of its length, without touching what it is linked to."""
    data = bytearray(file.read_bytes())
    data[int(len(data) * where)] ^= 0x01
    file.unlink()
    file.write_bytes(data)


def copy_of(repository: Path, target: Path) -> Path:
    """Copy a repository by links; change files in it only by replacing them."""
    shutil.copytree(repository, target, copy_function=os.link)
    return target
