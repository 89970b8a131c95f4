"""MCP with a program of this box, over its standard input and output.

Which programs may be run is written by whoever has a shell on the box, in `config/mcp.json` (the form that other MCP
clients use: {"mcpServers": {"name": {"command": …, "args": […], "env": {…}}}}); the console only chooses among them.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparrow import clock, settings
from sparrow.engine.ports import Cancel
from sparrow.tools.mcp.client import McpError, Server

_MAX_LINE = 16 << 20


def configured() -> dict[str, Server]:
    """Return the programs that may be run, by name; raise McpError for a file that cannot be read."""
    path = Path(settings.get().data_dir) / "config" / "mcp.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("mcpServers") or {}
        return {name: Server(name, "stdio", command=(str(item["command"]), *map(str, item.get("args") or ())),
                             environment={key: str(value) for key, value in (item.get("env") or {}).items()})
                for name, item in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise McpError(f"{path.name} cannot be read: {error}") from error


class Process:
    """A running program; ended with everything it started."""

    def __init__(self, server: Server, cancel: Cancel):
        self.server, self.version = server, ""
        self._rest = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        environment = {name: value for name, value in os.environ.items()
                       if name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR")}
        try:
            self.process = subprocess.Popen(
                server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                env=environment | server.environment, start_new_session=True)
        except OSError as error:
            self._errors.close()
            raise McpError(f"{server.name} cannot be started: {error}") from error
        self._forget = cancel.on_cancel(self._kill)

    def send(self, message: dict[str, Any]) -> None:
        """Write a line."""
        try:
            self.process.stdin.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise self._ended() from None

    def ask(self, message: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        """Write a request and yield the messages that follow."""
        self.send(message)
        deadline = clock.monotonic() + seconds
        while True:
            line = self._line(deadline, seconds)
            with contextlib.suppress(ValueError, RecursionError):  # some programs print other things too
                yield json.loads(line)

    def _line(self, deadline: float, seconds: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                left = deadline - clock.monotonic()
                if left <= 0 or not selector.select(left):
                    raise McpError(f"{self.server.name} did not answer within {seconds:.0f} s.")
                piece = os.read(self.process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise self._ended()
                self._rest += piece
                if len(self._rest) > _MAX_LINE:
                    raise McpError(f"{self.server.name} sent a line without an end.")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _ended(self) -> McpError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 500))
        text = self._errors.read().decode("utf-8", "replace").strip()
        return McpError(f"{self.server.name} ended (status {self.process.poll()}): {text or 'it said nothing'}")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the program's input, give it a moment, then end it."""
        self._forget()
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5)
        self._kill()
        self.process.wait()
        self.process.stdout.close()
        self._errors.close()
