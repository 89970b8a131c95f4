"""`sparrow dev`: the box's process table on this machine, in a folder, as this user."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sparrow.errors import SparrowError, Unavailable

STARTING_SECONDS = 90
STOPPING_SECONDS = 70  # longer than the slowest stopwaitsecs in supervisord.conf


def register(commands) -> None:
    """Add the command of this module."""
    command = commands.add_parser(
        "dev", help="run Sparrow on this machine, in a folder",
        description="Run all programs of the box on this machine as this user, on a data folder that is made if "
                    "missing. Ctrl-C stops everything. Set SPARROW_ADMIN_PASSWORD to skip the set-up page.")
    command.add_argument("--data", metavar="DIR", default="sparrow-data",
                         help="the data folder (default: ./sparrow-data)")
    command.add_argument("--port", type=int, default=8080, metavar="N", help="the HTTP port (default: 8080)")
    command.add_argument("--https-port", type=int, metavar="M",
                         help="the HTTPS port (default: the one after the HTTP port, or any free one)")
    command.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                         help="the address to listen on (default: 127.0.0.1; 0.0.0.0 for the whole network)")
    command.add_argument("--foreground", action="store_true", help="also show what the programs write")
    command.set_defaults(run=_dev, own_data=True, own_modes=True)


def _dev(given: argparse.Namespace) -> int:
    settings = _settings(given)
    lock = _lock(settings.run_dir)
    try:
        _check_programs(settings)
        from sparrow.box import supervise

        supervise.prepare(settings)
        return _Run(settings, given.foreground).run()
    finally:
        shutil.rmtree(settings.run_dir, ignore_errors=True)
        os.close(lock)


def _settings(given: argparse.Namespace):
    """Choose the ports and folders, put them into the environment and return the settings made of it."""
    from sparrow import settings as module
    from sparrow.cli import place

    data = Path(given.data).expanduser().absolute()
    run = place.run_dir(data)
    os.environ.update(SPARROW_DEV="true", SPARROW_DATA_DIR=str(data), SPARROW_RUN_DIR=str(run),
                      SPARROW_BIND=given.host, SPARROW_HTTP_PORT=str(given.port))
    if other := _running(run):
        raise Unavailable(f"Sparrow already runs on {data}, at {other}. Stop that one first, or name another "
                          "folder with --data.")
    _check_port("--port", given.host, given.port)
    if given.https_port is None:
        https_port = given.port + 1 if _free(given.host, given.port + 1) else _any_port(given.host)
    else:
        _check_port("--https-port", given.host, https_port := given.https_port)
        if https_port == given.port:
            raise Unavailable("--port and --https-port must differ.")
    os.environ["SPARROW_HTTPS_PORT"] = str(https_port)
    os.environ.setdefault("SPARROW_CHROMA_PORT", str(_any_port("127.0.0.1")))
    module.reset()
    return module.get()


class _Run:
    """One run of supervisord, from its start to its end."""

    def __init__(self, settings, follow: bool):
        self.settings = settings
        self.follow = follow
        self.stopping = False
        self.told: set[str] = set()
        self.offsets: dict[Path, int] = {}

    def run(self) -> int:
        from sparrow.box import supervise

        started = time.monotonic()
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        print(f"Starting Sparrow on {self.settings.data_dir} …", flush=True)
        # A session of its own: Ctrl-C reaches only this process, which stops the others in order.
        with supervise.output(self.settings) as output:
            child = subprocess.Popen(
                supervise.command(self.settings), env=supervise.environment(self.settings), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True, preexec_fn=_end_with_parent)
        try:
            supervise.wake(self.settings)
            well = self._wait(child)
            if well and not self.stopping:
                self._greet(time.monotonic() - started)
            while child.poll() is None and not self.stopping:
                self._show_logs()
                time.sleep(0.2)
            return self._end(child)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)

    def _wait(self, child: subprocess.Popen) -> bool:
        """Wait for the first good answer through Caddy; tell what keeps it from coming."""
        deadline = time.monotonic() + STARTING_SECONDS
        while child.poll() is None and not self.stopping:
            self._show_logs()
            answer = _ask_health(self.settings)
            if answer == 200:
                return True
            self._tell_failures()
            if time.monotonic() > deadline:
                print("Sparrow does not answer yet. `sparrow health --data "
                      f"{self.settings.data_dir}` and `sparrow logs api` may tell why.", flush=True)
                return False
            time.sleep(0.05)
        return False

    def _tell_failures(self) -> None:
        from sparrow.box import control

        try:
            programs = control.status(timeout=1)["programs"]
        except SparrowError:
            return
        for program in programs:
            if program["state"] in ("BACKOFF", "FATAL") and program["detail"] not in self.told:
                self.told.add(program["detail"])
                print(f"  {program['name']} fails: {program['detail']}", flush=True)

    def _greet(self, seconds: float) -> None:
        from sparrow.box import addresses, tls

        settings = self.settings
        host = settings.bind
        if host in ("0.0.0.0", "::"):
            host = next(iter(addresses.addresses()), "127.0.0.1")
        host = f"[{host}]" if ":" in host else host
        print(f"\nSparrow {settings.version} is ready ({seconds:.1f} s).\n"
              f"  Address:     http://{host}:{settings.http_port}/\n"
              f"               https://{host}:{settings.https_port}/\n"
              f"  Fingerprint: {tls.fingerprint(settings)}\n"
              f"  Data:        {settings.data_dir}")
        try:
            print(f"  Setup code:  {settings.setup_code_file.read_text().strip()}")
        except OSError:
            pass
        if not (settings.web_dir / "index.html").is_file():
            print(f"  The console is not built (no {settings.web_dir}/index.html); only the API answers.")
        print("Press Ctrl-C to stop.", flush=True)

    def _end(self, child: subprocess.Popen) -> int:
        if child.poll() is not None:
            print(f"supervisord ended with status {child.returncode}. Its log:", file=sys.stderr)
            for name in ("supervisord.out", "supervisord.log"):
                log = self.settings.run_dir / "log" / name
                if log.exists():
                    print(log.read_text(errors="replace")[-2000:], file=sys.stderr)
            return 1
        print("\nStopping …", flush=True)
        child.terminate()
        try:
            child.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            print("Some programs did not stop in time and are killed.", file=sys.stderr)
        self._show_logs()
        return 0

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _show_logs(self) -> None:
        if not self.follow:
            return
        for path in sorted((self.settings.run_dir / "log").glob("*.log")):
            try:
                size = path.stat().st_size
                start = self.offsets.get(path, 0)
                with open(path, errors="replace") as file:
                    file.seek(start if start <= size else 0)
                    for line in file.read().splitlines():
                        print(f"{path.stem:>11} │ {line}", flush=True)
                self.offsets[path] = size
            except OSError:
                pass


def _ask_health(settings) -> int:
    """Return the status of GET /health through Caddy's HTTP port, 0 if nobody answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)
    try:
        with socket.create_connection((host, settings.http_port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return int(connection.recv(64).split(b" ", 2)[1])
    except (OSError, ValueError, IndexError):
        return 0


def _lock(run: Path) -> int:
    """Take the folder of the sockets for this process alone."""
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if run.stat().st_uid != os.geteuid():
        raise Unavailable(f"{run} belongs to somebody else. Remove it.")
    lock = os.open(run / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Unavailable("Sparrow already runs on this folder. Stop that one first, or name another with --data.")
    os.ftruncate(lock, 0)
    told = {name: value for name, value in os.environ.items()
            if name.startswith("SPARROW_") and name != "SPARROW_ADMIN_PASSWORD"}
    os.write(lock, json.dumps({"pid": os.getpid(), "url": _url(), "environment": told}).encode())
    return lock


def _running(run: Path) -> str | None:
    """Return the address of the one that runs on this folder, None if there is none."""
    try:
        with open(run / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        facts: dict[str, Any] = json.loads((run / ".lock").read_text() or "{}")
        return facts.get("url", "an unknown address")
    except OSError:
        pass
    return None


def _url() -> str:
    return f"http://{os.environ['SPARROW_BIND']}:{os.environ['SPARROW_HTTP_PORT']}/"


def _check_programs(settings) -> None:
    """Raise Unavailable for a program that is not installed, before anything is started."""
    from sparrow.box import binaries

    binaries.caddy()
    if settings.own_redis:
        binaries.redis_server()
    if settings.rag and settings.own_chroma:
        binaries.check_chroma()


def _check_port(option: str, host: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise Unavailable(f"{option} must be from 1 to 65535, not {port}.")
    try:
        _bind(host, port)
    except PermissionError:
        raise Unavailable(f"Only root may listen on port {port}. Choose one above 1023 with {option}.")
    except OSError as error:
        raise Unavailable(f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with {option}.")


def _free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except (OSError, OverflowError):
        return False
    return True


def _any_port(host: str) -> int:
    return _bind(host, 0)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return probe.getsockname()[1]


def _end_with_parent() -> None:
    """Have supervisord end when `sparrow dev` is killed."""
    from sparrow.box import launch

    launch.end_with_parent()
