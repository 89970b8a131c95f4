"""The parser's process as a fork of this one: a file then costs no start of Python.

For processes that run one job (the worker's children), not for a server with many threads: a lock that another
thread holds while it forks stays closed in the child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress


class Fork:
    """A child that runs a function with its output in a pipe; as much of subprocess.Popen as `read` uses."""

    def __init__(self, function, *arguments: str):
        out, out_end = os.pipe()
        error, error_end = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _run(out_end, error_end, function, arguments)
        os.close(out_end)
        os.close(error_end)
        self.stdout, self.stderr = os.fdopen(out, "rb"), os.fdopen(error, "rb")

    def poll(self) -> int | None:
        """Return the child's status (negative: the signal that ended it), None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the child's end; raise subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("parser", timeout)
            time.sleep(0.005)
        return self.returncode

    def kill(self) -> None:
        """End the child at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _run(out: int, error: int, function, arguments: tuple[str, ...]) -> None:
    """Be the child; never return."""
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, out), (2, error)):
            os.dup2(source, target)
        # The database, Redis and sockets of the parent are none of the parser's.
        for number in [int(entry) for entry in os.listdir("/proc/self/fd")]:
            if number > 2:
                with suppress(OSError):  # the one that listed them
                    os.close(number)
        status = function(*arguments)
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "replace")[-8000:])
    finally:
        os._exit(status)
