"""A running Sparrow to be measured: started, watched through /proc, stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path

from tests.conftest import PASSWORD, free_port

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR", ROOT / "build"))
TICK = os.sysconf("SC_CLK_TCK")
_PROGRAMS = (("gunicorn: master", "api master"), ("gunicorn", "api"), ("caddy", "caddy"), ("redis-server", "redis"),
             ("chroma", "chroma"), ("screen", "screen"), ("worker", "worker"), ("supervisord", "supervisord"))


@dataclass
class Stack:
    """Base of the two ways to run the stack; what launches supervisord is not measured."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sparrow-bench-")))
    port: int = 0
    http_port: int = field(default_factory=free_port)
    chroma_port: int = field(default_factory=free_port)  # its server's; another bench may run beside this one
    process: subprocess.Popen | None = None
    started: float = 0.0
    name = ""

    def command(self) -> list[str]:
        """Return the command that runs the stack in the foreground."""
        raise NotImplementedError

    def start(self, timeout: float = 90.0) -> float:
        """Start and return the seconds from the start of supervisord until the first HTTPS 200."""
        self.port = self.port or free_port()
        self.started = time.monotonic()
        with open(self.folder / "stack.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "SPARROW_ADMIN_PASSWORD": PASSWORD, "SPARROW_HTTP_PORT": str(self.http_port),
                     "SPARROW_CHROMA_PORT": str(self.chroma_port)})
        deadline = self.started + timeout
        while time.monotonic() < deadline:
            try:
                connection = self.connect(2)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return time.clock_gettime(time.CLOCK_BOOTTIME) - self._begun(self.pids()[0])
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"The stack did not start:\n{(self.folder / 'stack.log').read_text()[-4000:]}")

    def stop(self) -> None:
        """Stop cleanly, then by force."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def remove(self) -> None:
        """Stop and delete the data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, timeout: float = 60.0) -> HTTPSConnection:
        """Return a connection to Caddy; the box's own certificate is not checked here."""
        context = ssl._create_unverified_context()
        return HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def pids(self) -> list[int]:
        """Return supervisord and every process below it."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
        def below(pid: int) -> Iterator[int]:
            yield pid
            for child in children.get(pid, []):
                yield from below(child)

        for pid in below(self.process.pid):
            with suppress(OSError):
                if self.program(self._command(pid)) == "supervisord":
                    return list(below(pid))
        return []

    @staticmethod
    def _command(pid: int) -> str:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    @staticmethod
    def _begun(pid: int) -> float:
        """Return when a process began, in seconds since the machine was started."""
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / TICK

    def memory(self) -> dict[str, float]:
        """Return MB of PSS by program, and `total`."""
        result: dict[str, float] = {}
        for pid in self.pids():
            try:
                command = self._command(pid)
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            name = self.program(command)
            if name is None:
                continue
            kilobytes = int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
            result[name] = result.get(name, 0) + kilobytes / 1024
        return {**dict(sorted(result.items())), "total": sum(result.values())}

    @staticmethod
    def program(command: str) -> str | None:
        """Return the program a command line belongs to; None for the launcher around supervisord."""
        for part, name in _PROGRAMS:
            if part in command:
                return name
        return None

    def cpu_seconds(self) -> float:
        """Return CPU seconds used so far by all processes of the stack, ended children included."""
        return sum(self.cpu_by_program().values())

    def cpu_by_program(self) -> dict[str, float]:
        """Return CPU seconds used so far by program, ended children included."""
        result: dict[str, float] = {}
        for pid in self.pids():
            try:
                command = self._command(pid)
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            name = self.program(command) or "others"
            result[name] = result.get(name, 0) + sum(map(int, fields[11:15])) / TICK
        return result


@dataclass
class HostStack(Stack):
    """`sparrow dev` of the virtual environment."""

    name = "host (sparrow dev)"

    def command(self) -> list[str]:
        """See Stack."""
        return [str(Path(sys.executable).parent / "sparrow"), "dev", "--data", str(self.folder / "data"),
                "--port", str(self.http_port), "--https-port", str(self.port)]


class ImageStack(Stack):
    """The built root file system, natively in namespaces and a cgroup of its own."""

    name = "image (chroot, cgroup)"

    def command(self) -> list[str]:
        """See Stack."""
        return [str(ROOT / "mkimage.sh"), "shell", "--data", str(self.folder / "data"), "--port", str(self.port),
                "--serve"]


class Console:
    """The console's API over HTTPS, for setting the stack up."""

    def __init__(self, stack: Stack):
        self.base = f"https://127.0.0.1:{stack.port}"
        context = ssl._create_unverified_context()
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context),
                                                  urllib.request.HTTPCookieProcessor())
        self.headers = {"Content-Type": "application/json"}
        self.call("POST", "/login", {"password": PASSWORD})
        self.headers["X-CSRF-Token"] = self.call("GET", "/session")["csrf_token"]

    def call(self, method: str, path: str, body: object = None, **headers) -> dict:
        """Send JSON (or bytes with a Content-Type of their own) and return the JSON reply."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.base}/console/api{path}", data, {**self.headers, **headers},
                                         method=method)
        with self.opener.open(request) as reply:
            content = reply.read()
        return json.loads(content) if content else {}

    def upload(self, name: str, content: bytes) -> str:
        """Upload a file and return its id."""
        boundary = "sparrowbench"
        body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
                f"Content-Type: application/octet-stream\r\n\r\n").encode()
        body += content + f"\r\n--{boundary}--\r\n".encode()
        return self.call("POST", "/files/upload", body, **{
            "Content-Type": f"multipart/form-data; boundary={boundary}"})["id"]
