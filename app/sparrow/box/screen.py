"""The screen program: shows the box on its consoles, keeps watch over the programs, answers for supervisord.

It is an event listener of supervisord: it sleeps in poll() until a program changes state, an address comes or
goes, somebody asks on the control socket, or five seconds are over. Only what changed is drawn. It also starts
what `config/wanted` asks for, gives programs that were given up another chance, renews the certificate and copies
the logs to the data partition.
"""

from __future__ import annotations

import grp
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparrow import __version__
from sparrow import settings as _settings
from sparrow.box import addresses as network
from sparrow.box import control, health, logs, mdns, pages, screen_text, supervisor, tls
from sparrow.errors import SparrowError, Unavailable
from sparrow.settings import Settings

TICK = 5  # seconds, of the TICK_5 event
SHIP_TICKS = 60  # logs every five minutes
TLS_TICKS = 12  # certificate every minute
SECOND_CHANCE = 300  # seconds after which a program that was given up is tried again
_DOWN = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


class Screen:
    """All that the loop knows."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.programs: list[dict[str, Any]] = []
        self.since: dict[str, tuple[str, int]] = {}
        self.restarts: dict[str, int] = {}
        self.given_up: dict[str, float] = {}
        self.restarting: set[str] = set()
        self.addresses = _addresses(settings)
        self.renewal: subprocess.Popen | None = None
        self.buffer = bytearray()
        self.ticks = 0
        self.shown: dict[Path, str] = {}
        self.public: tuple[str, bool] | None = None  # (health page, the API is away)
        self.consoles = consoles(settings)
        self.link = network.watch()
        self.responder = _responder(settings)
        self.listener = _listen(settings)

    def run(self) -> None:
        """Work until supervisord closes the pipe or sends TERM."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self.listener, select.POLLIN)
        if self.link is not None:
            poll.register(self.link, select.POLLIN)
        if self.responder is not None:
            poll.register(self.responder, select.POLLIN)
        os.write(1, b"READY\n")
        self._refresh()
        self._check_certificate()
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience())}
            if 0 in ready and not self._events():
                return
            if self.link is not None and self.link.fileno() in ready:
                self._addresses_changed()
            if self.listener.fileno() in ready:
                self._answer()
            if self.responder is not None:
                self._name(self.responder, self.responder.fileno() in ready)
            if self.renewal is not None:
                self._finish_renewal()

    def _patience(self) -> float | None:
        """Return the milliseconds until something is to be done that nobody knocks for."""
        due = self.responder.due() if self.responder is not None else None
        waits = [250] if self.renewal else []
        return min([*waits, *([due * 1000 + 1] if due is not None else [])], default=None)

    # Events of supervisord

    def _events(self) -> bool:
        """Read and acknowledge events; False at the end of the pipe."""
        data = os.read(0, 65536)
        if not data:
            return False
        self.buffer += data
        changed = ticked = False
        while True:
            head, found, rest = self.buffer.partition(b"\n")
            if not found:
                break
            facts = dict(pair.split(":", 1) for pair in head.decode().split())
            length = int(facts["len"])
            if len(rest) < length:
                break
            payload = rest[:length].decode()
            self.buffer = rest[length:]
            os.write(1, b"RESULT 2\nOKREADY\n")
            if facts["eventname"].startswith("TICK"):
                ticked = True
            else:
                self._note(facts["eventname"], payload)
                changed = True
        if ticked:
            self._tick()
        elif changed:
            self._refresh()
        return True

    def _note(self, event: str, payload: str) -> None:
        facts = dict(pair.split(":", 1) for pair in payload.split())
        name = facts.get("processname", "")
        if event == "PROCESS_STATE_EXITED":
            self.restarts[name] = self.restarts.get(name, 0) + 1
            _say(f"{name} ended{'' if facts.get('expected') == '1' else ' unexpectedly'}")
        elif event == "PROCESS_STATE_FATAL":
            self.given_up[name] = time.monotonic()
            _say(f"{name} was given up after many tries")
            logs.ship(self.settings)
        elif event == "PROCESS_STATE_STOPPED" and name in self.restarting:
            self.restarting.discard(name)
            self._supervisor("startProcess", name, False)
        elif event == "PROCESS_STATE_RUNNING":
            self.given_up.pop(name, None)

    def _tick(self) -> None:
        self.ticks += 1
        self._refresh()
        for name, moment in list(self.given_up.items()):
            if time.monotonic() - moment > SECOND_CHANCE:
                del self.given_up[name]
                _say(f"{name} is given another chance")
                self._supervisor("startProcess", name, False)
        if self.ticks % SHIP_TICKS == 0:
            logs.ship(self.settings)
        if self.ticks % TLS_TICKS == 0:
            self._check_certificate()

    # The programs

    def _refresh(self) -> None:
        """Ask supervisord for all states, start what is wanted, show what changed."""
        answer = self._supervisor("getAllProcessInfo")
        if isinstance(answer, list):
            self.programs = [self._program(facts) for facts in answer]
            self._fulfil()
        self._publish()
        self._draw()

    def _program(self, facts: dict[str, Any]) -> dict[str, Any]:
        name, state = facts["name"], facts["statename"]
        before = self.since.get(name)
        if before is None or before[0] != state:
            moment = facts["start"] if state in ("RUNNING", "STARTING") else facts["stop"] or facts["now"]
            before = self.since[name] = (state, moment)
        detail = facts["spawnerr"] if state in ("FATAL", "BACKOFF") else ""
        if state in ("FATAL", "BACKOFF", "EXITED"):
            lines = [line for line in logs.tail(self.settings, name, 5) if line.strip()]
            detail = (lines[-1] if lines else detail)[-200:]
        return {"name": name, "state": state, "since": before[1], "pid": facts["pid"], "detail": detail,
                "restarts": self.restarts.get(name, 0), "wanted": self._wanted(name)}

    def _wanted(self, name: str) -> bool:
        if name not in control.WANTED:
            return True
        possible = self.settings.rag and self.settings.own_chroma
        return possible and self.settings.wanted_flag(name).exists()

    def _fulfil(self) -> None:
        """Start and stop the programs that are not always on."""
        for program in self.programs:
            name, state = program["name"], program["state"]
            if name not in control.WANTED or name in self.restarting:
                continue
            if program["wanted"] and state in ("STOPPED", "EXITED"):
                self._supervisor("startProcess", name, False)
            elif not program["wanted"] and state in ("RUNNING", "STARTING", "BACKOFF"):
                self._supervisor("stopProcess", name, False)

    def _supervisor(self, method: str, *arguments: str | bool) -> Any:
        try:
            return supervisor.call(self.settings.supervisor_socket, "supervisor." + method, *arguments)
        except supervisor.Fault as fault:
            if fault.code not in (supervisor.ALREADY_STARTED, supervisor.NOT_RUNNING):
                _say(f"{method}: {fault}")
        except Unavailable as error:
            _say(error.message)
        return None

    # The control socket

    def _answer(self) -> None:
        with suppress(OSError):
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(0.5)  # one short line; nobody may hold up the loop
                line = connection.recv(256).decode(errors="replace").strip()
                reply = self._command(line)
                connection.sendall(json.dumps(reply).encode())

    def _command(self, line: str) -> dict[str, Any]:
        action, _, program = line.partition(" ")
        if action == "status":
            return {"programs": self.programs}
        try:
            control.check(action, program)
        except SparrowError as error:
            return {"error": error.message}
        state = next((p["state"] for p in self.programs if p["name"] == program), "UNKNOWN")
        if action == "restart" and state not in _DOWN:
            self.restarting.add(program)
            self._supervisor("stopProcess", program, False)
        elif action == "stop":
            self._supervisor("stopProcess", program, False)
        else:
            self._supervisor("startProcess", program, False)
        return {"result": "success"}

    # Name, addresses and the certificate

    @property
    def name(self) -> str:
        """The box's name on the local network."""
        return self.responder.name if self.responder is not None else f"{self.settings.hostname}.local"

    def _name(self, responder: mdns.Responder, readable: bool) -> None:
        before = responder.name
        if readable:
            responder.receive()
        responder.work()
        if responder.name != before:
            _say(f"{before} is the name of another machine; this one is {responder.name}")
            self._check_certificate()
            self._draw()

    def _addresses_changed(self) -> None:
        with suppress(OSError):  # all is read, or the kernel says that there was too much to keep
            while self.link.recv(65536):
                pass
        found = _addresses(self.settings)
        if found != self.addresses:
            self.addresses = found
            if self.responder is not None:
                self.responder.refresh()
            self._check_certificate()
            self._draw()

    def _check_certificate(self) -> None:
        """Have the certificate made anew if need be, in a process of its own: `cryptography` is 10 MB."""
        if self.renewal is None and not self.settings.dev and (
                reason := tls.stale(self.settings, [*self.addresses, self.name])):
            _say(f"making a server certificate: {reason}")
            self.renewal = subprocess.Popen([sys.executable, "-P", "-m", "sparrow.cli", "tls", "ensure"],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            env={**os.environ, "SPARROW_HOSTNAMES": ",".join(
                                                [*self.settings.hostnames, self.name])})

    def _finish_renewal(self) -> None:
        if self.renewal is None or self.renewal.poll() is None:
            return
        done, self.renewal = self.renewal.returncode, None
        if done == 0:
            pages.write(self.settings)
            self._command("restart caddy")
        self._draw()

    # What is shown

    def _draw(self) -> None:
        if not self.consoles:
            return
        facts = _facts(self.settings, self.addresses, self.name, self.programs, self._problems())
        for path, wide in self.consoles.items():
            text = screen_text.full(facts) if wide else screen_text.plain(facts)
            if self.shown.get(path) != text and _write(path, text):
                self.shown[path] = text

    def _problems(self) -> list[dict[str, str]]:
        return health.judge_programs(self.programs, self.settings) + health.judge_data(self.settings)[1]

    def _publish(self) -> None:
        """Leave for Caddy what it answers while the API is away: the health page, and that it is away."""
        state = next((p["state"] for p in self.programs if p["name"] == "api"), "UNKNOWN")
        away = state not in ("RUNNING", "STARTING")
        problems = self._problems()
        if not any(problem["what"] == "api" and problem["level"] == "error" for problem in problems):
            problems.append(health.SILENT)  # this page is only seen while the API does not answer
        content = json.dumps(health.public(problems), ensure_ascii=False)
        if (content, away) == self.public:
            return
        folder = self.settings.public_dir
        try:
            temporary = folder / ".health.json"
            temporary.write_text(content, encoding="utf-8")
            os.replace(temporary, folder / "health.json")
            if away:
                (folder / "api-away").touch()
            else:
                (folder / "api-away").unlink(missing_ok=True)
            self.public = content, away
        except OSError as error:
            _say(f"cannot write to {folder}: {error.strerror}")


def snapshot() -> str:
    """Return what a serial console would show now."""
    settings = _settings.get()
    try:
        programs = control.status()["programs"]
    except Unavailable:
        programs = []
    problems = health.judge_programs(programs, settings) + health.judge_data(settings)[1]
    return screen_text.plain(_facts(settings, _addresses(settings), f"{settings.hostname}.local", programs, problems))


def main() -> None:
    """Run the screen program, under supervisord."""
    settings = _settings.get()
    screen = Screen(settings)

    def stop(*_: object) -> None:
        if screen.responder is not None:
            screen.responder.close()
        logs.ship(settings)
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    screen.run()
    stop()


def consoles(settings: Settings) -> dict[Path, bool]:
    """Return console → whether it is a screen one can draw on (else a serial line)."""
    named = os.environ.get("SPARROW_SCREENS")
    if named is None and settings.dev:
        return {}
    if named is None:
        active = []
        with suppress(OSError):
            active = Path("/sys/class/tty/console/active").read_text().split()
        serial = [name for name in active if not _is_screen(name) and name != "tty0"]
        named = " ".join(["/dev/tty1", *(f"/dev/{name}" for name in serial)])
    return {Path(name): _is_screen(Path(name).name) for name in named.split()}


def _addresses(settings: Settings) -> list[str]:
    """Return the addresses Caddy answers on."""
    return [settings.bind] if settings.bind not in ("", "0.0.0.0", "::") else network.addresses()


def _responder(settings: Settings) -> mdns.Responder | None:
    """Return what answers for the box's name; None where it answers on one address only or the port is taken."""
    if settings.dev or settings.bind not in ("", "0.0.0.0", "::"):
        return None
    try:
        return mdns.Responder(settings.hostname)
    except OSError as error:
        _say(f"{settings.hostname}.local is not announced: {error}")
        return None


def _is_screen(name: str) -> bool:
    return name.startswith("tty") and name[3:].isdigit() and name != "tty0"


def _facts(settings: Settings, addresses: list[str], name: str, programs: list[dict[str, Any]],
           problems: list[dict[str, str]]) -> screen_text.Facts:
    return screen_text.Facts(
        version=__version__, addresses=addresses, name=name, https_port=settings.https_port,
        http_port=settings.http_port, fingerprint=tls.fingerprint(settings) or "", code=_setup_code(settings),
        programs=[(p["name"], p["state"]) for p in programs if p["wanted"] and p["name"] != "screen"],
        problems=[health.text(problem) for problem in problems if problem["level"] == "error"])


def _listen(settings: Settings) -> socket.socket:
    path = settings.control_socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    listener.bind(str(path))
    if not settings.dev:
        with suppress(KeyError, OSError):
            os.chown(path, -1, grp.getgrnam("sparrow").gr_gid)
    os.chmod(path, 0o660)
    listener.listen(16)
    return listener


def _setup_code(settings: Settings) -> str:
    try:
        return settings.setup_code_file.read_text().strip()
    except OSError:
        return ""


def _write(path: Path, text: str) -> bool:
    """Write to a console without ever hanging on one that nobody reads; False if it is not there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    data, deadline = text.replace("\n", "\r\n").encode(), time.monotonic() + 3
    try:
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(descriptor, data):]
            except BlockingIOError:
                select.select([], [descriptor], [], 0.2)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
