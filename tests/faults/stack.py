"""A whole Sparrow for tests: `sparrow dev` in a folder of its own, on free ports, as a user would start it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sparrow.box import supervisor
from sparrow.cli import place
from tests.conftest import PASSWORD, free_port


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without settings of Sparrow, plus `extra`."""
    return {k: v for k, v in os.environ.items() if not k.startswith("SPARROW_")} | extra


def until(check: Callable[[], object], what: str, seconds: float = 10.0, pause: float = 0.05):
    """Return the first true value of `check()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(pause)


class Stack:
    """One running `sparrow dev`."""

    def __init__(self, data: Path, *, wait: bool = True, arguments: tuple[str, ...] = (), **extra: str):
        self.data, self.port, self.https_port = data, free_port(), free_port()
        self.log = data.parent / f"{data.name}.out"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sparrow.cli", "dev", "--data", str(data), "--port", str(self.port),
                 "--https-port", str(self.https_port), *arguments], stdout=output, stderr=output,
                env=environment(**({"SPARROW_ADMIN_PASSWORD": PASSWORD} | extra)))
        if wait:
            try:
                until(lambda: "Ctrl-C" in self.output() or self.process.poll() is not None, "ready", 60)
                assert "is ready" in self.output(), self.output()
            except BaseException:
                self.kill()
                raise

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def run_dir(self) -> Path:
        """The folder of its sockets."""
        return place.run_dir(self.data)

    def output(self) -> str:
        """Return what it has printed."""
        return self.log.read_text(errors="replace")

    def programs(self) -> dict[str, dict]:
        """Return supervisord's view: name → facts."""
        found = supervisor.call(self.run_dir / "supervisor.sock", "supervisor.getAllProcessInfo")
        return {facts["name"]: facts for facts in found}

    def control(self, method: str, *arguments: str | bool):
        """Call a method of supervisord."""
        return supervisor.call(self.run_dir / "supervisor.sock", "supervisor." + method, *arguments, timeout=40)

    def get(self, path: str, *, https: bool = False, timeout: float = 10) -> tuple[int, dict[str, str], bytes]:
        """GET a path through Caddy and return (status, headers, body); HTTPS trusts the box's own authority."""
        if https:
            trust = ssl.create_default_context(cafile=str(self.data / "tls" / "ca.crt"))
            connection = http.client.HTTPSConnection("127.0.0.1", self.https_port, timeout=timeout, context=trust)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def status(self) -> tuple[int, str]:
        """Return (HTTP status, "ok"|"degraded"|"error") of /health, (0, "") if nobody answers."""
        try:
            code, _, body = self.get("/health")
            return code, json.loads(body)["status"]
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return 0, ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run a `sparrow` command on its data."""
        return subprocess.run([sys.executable, "-m", "sparrow.cli", *arguments, "--data", str(self.data)],
                              capture_output=True, text=True, timeout=30, env=environment(), check=False)

    def stop(self) -> int:
        """Press Ctrl-C and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self.process.kill()
        self.process.wait(10)


class Console:
    """The console's API over HTTP, signed in."""

    def __init__(self, stack: Stack):
        self.stack, self.cookie, self.token = stack, "", ""
        _, headers, _ = self.call("POST", "/console/api/login", {"password": PASSWORD})
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.token = json.loads(self.call("GET", "/console/api/session")[2])["csrf_token"]

    def call(self, method: str, path: str, body: object = None, key: str = ""):
        """Send JSON, with a key of the service API if one is given; return (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {
                "Content-Type": "application/json", "Cookie": self.cookie, "X-CSRF-Token": self.token,
                **({"Authorization": f"Bearer {key}"} if key else {})})
            reply = connection.getresponse()
            return reply.status, {key.lower(): value for key, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None) -> dict:
        """Send JSON to the console and return the JSON of a good reply."""
        status, _, content = self.call(method, f"/console/api{path}", body)
        assert status < 300, content
        return json.loads(content)
