"""Ask the screen program for the state of the programs, or to start and stop one of a short list.

Only the screen program may talk to supervisord. It answers one line on a Unix socket (`status`, `restart api`)
with one JSON object, and does nothing that is not in `ALLOWED`.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from sparrow import settings as _settings
from sparrow.errors import BadRequest, Unavailable

# What others may ask for; redis and the screen program itself are nobody's business but supervisord's.
ALLOWED = {
    "api": ("restart",),
    "worker": ("restart",),
    "caddy": ("restart",),
    "chroma": ("start", "stop", "restart"),
}
WANTED = ("chroma",)  # programs that run only while their flag is in config/wanted


def status(timeout: float = 2.0) -> dict[str, Any]:
    """Return {"programs": [{name, state, since, pid, detail, restarts}]}; raise Unavailable if nobody answers."""
    return _ask("status", timeout)


def restart(program: str) -> None:
    """Restart a program soon (after this call returns). Raises BadRequest for one that is not in the list."""
    _act("restart", program)


def want(program: str) -> None:
    """Ask for a program that is not always on, now and after every restart of the box."""
    if program not in WANTED:
        raise BadRequest(f"{program} is not a program that can be switched on.")
    flag = _settings.get().wanted_flag(program)
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.touch()
    _act("start", program)


def unwant(program: str) -> None:
    """Say that a program is not needed any more."""
    if program not in WANTED:
        raise BadRequest(f"{program} is not a program that can be switched off.")
    _settings.get().wanted_flag(program).unlink(missing_ok=True)
    _act("stop", program)


def check(action: str, program: str) -> None:
    """Raise BadRequest if this is not for others to ask."""
    if action not in ALLOWED.get(program, ()):
        raise BadRequest(f"{action} {program} is not among what may be asked of the box.", code="not_allowed")


def _act(action: str, program: str) -> None:
    check(action, program)
    try:
        answer = _ask(f"{action} {program}", 5.0)
    except Unavailable:
        if action in ("start", "stop"):
            return  # the flag is there: the screen program sees it within seconds of its start
        raise
    if answer.get("error"):
        raise Unavailable(answer["error"])


def _ask(line: str, timeout: float) -> dict[str, Any]:
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(_settings.get().control_socket))
            connection.sendall(line.encode() + b"\n")
            while data := connection.recv(65536):
                received += data
        return json.loads(bytes(received))
    except (OSError, ValueError) as error:
        raise Unavailable(f"The screen program does not answer: {error}. It comes back by itself within seconds; "
                          "if it does not, restart the box.")
