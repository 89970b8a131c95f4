"""The code sandbox as the engine sees it: one process a call, killed when its time is over or the run is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

_JAIL = str(Path(__file__).with_name("jail.py"))
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


class CodeExecutionError(Exception):
    """The code failed, broke a limit, or could not be isolated. The last lines are worded as Dify's."""

    error_type = "CodeExecutionError"


class Limits(Protocol):
    """What the engine's `CodeLimits` holds."""

    seconds: float
    memory: int
    output: int


class Port:
    """Runs code nodes. Fails closed where namespaces are refused, unless SPARROW_SANDBOX=weak."""

    def run(self, language: str, code: str, inputs: dict[str, Any], limits: Limits, cancel: Any) -> Any:
        """Call the code's `main`; return its JSON result. Raises CodeExecutionError."""
        if language not in ("python3", "javascript"):
            raise CodeExecutionError(f"Unsupported code language: {language}")
        engine = find_spec("_quickjs") if language == "javascript" else None
        if language == "javascript" and engine is None:
            raise CodeExecutionError("No JavaScript engine is installed: the Python package quickjs-ng is missing.")
        weak = os.environ.get("SPARROW_SANDBOX") == "weak"
        paths = [*_LIBRARIES, os.path.realpath(sys.base_prefix) if sys.base_prefix != "/usr" else "/usr/lib"]
        job = {"language": language, "code": code, "inputs": inputs, "seconds": limits.seconds,
               "memory": limits.memory, "output": limits.output, "engine": engine and engine.origin,
               "isolated": not weak, "paths": list(dict.fromkeys(paths))}
        data = self._result(json.dumps(job).encode(), limits, cancel)
        try:
            reply = json.loads(data)
        except ValueError:
            raise CodeExecutionError("The code ended without a result: it was stopped by a limit on memory, CPU or "
                                     "processes.\nerror: exit status 255") from None
        if "closed" in reply:
            raise CodeExecutionError(
                f"The sandbox cannot be built here ({reply['closed']}): the kernel refuses namespaces. Allow them, or "
                "set SPARROW_SANDBOX=weak to run code without isolation.")
        if "error" in reply:
            raise CodeExecutionError(reply["error"])
        return reply["result"]

    def _result(self, job: bytes, limits: Limits, cancel: Any) -> bytes:
        process = subprocess.Popen([getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-E", _JAIL],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={},
                                   close_fds=True, start_new_session=True)
        forget = cancel.on_cancel(lambda: _kill(process))
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(job)
                process.stdin.close()
            pieces, size = [], 0
            until = time.monotonic() + limits.seconds
            while True:
                left = until - time.monotonic()
                ready = left > 0 and select.select([process.stdout], [], [], left)[0]
                if cancel.cancelled:
                    raise CodeExecutionError("The run was stopped.")
                if not ready:
                    raise CodeExecutionError(f"The code ran longer than {limits.seconds:g} s.\nerror: timeout")
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
                if size > limits.output + 1024:
                    raise CodeExecutionError("The result is too long.\nerror: exit status 255")
        finally:
            forget()
            _kill(process)
            process.stdout.close()
            process.wait()


def _kill(process: subprocess.Popen) -> None:
    """End the launcher; the jail's first process dies with it, and all others with that one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
