"""The start of each program: wait for what it needs, for a bounded time, then become it.

supervisord starts everything at once and knows nothing of readiness. Run as
`python -m sparrow.box.launch PROGRAM` by supervisord.conf. Becoming the program by exec keeps the process
supervisord knows, and leaves nothing of this module in memory.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sparrow import settings as _settings
from sparrow.errors import SparrowError, Unavailable
from sparrow.settings import Settings
from sparrow.storage import reserve

PATIENCE = 30.0  # seconds a program waits; then it ends, and supervisord tries again
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Run the launcher of the program named by the first argument."""
    program = arguments[0] if arguments else ""
    if program not in LAUNCHERS:
        sys.exit(f"There is no program {program!r}; there are {', '.join(LAUNCHERS)}.")
    end_with_parent()
    try:
        if program not in ("api", "worker"):  # nobody else needs it
            os.environ.pop("SPARROW_ADMIN_PASSWORD", None)
        # What these three need of the file is in the environment (sparrow.box.supervise).
        settings = _settings.load(file=program not in ("redis", "chroma", "caddy"))
        LAUNCHERS[program](settings)
    except SparrowError as error:
        print(f"{program}: {error.message}", file=sys.stderr, flush=True)
        time.sleep(0.5)  # not a busy loop, should supervisord be told to try at once
        sys.exit(1)


def redis(settings: Settings) -> None:
    """Become redis-server: one Unix socket, no TCP, nothing on the disk (the job table is the truth)."""
    from sparrow.box import binaries

    server = binaries.redis_server()
    _become(server, "--port", "0", "--unixsocket", settings.redis_socket, "--unixsocketperm", "770",
            "--daemonize", "no", "--save", "", "--appendonly", "no", "--dir", settings.run_dir,
            "--databases", "1", "--hz", "1", "--maxmemory", "32mb", "--maxmemory-policy", "noeviction",
            "--logfile", "", "--loglevel", "notice")


def chroma(settings: Settings) -> None:
    """Become the server of Chroma's folder, on loopback; the lock keeps a second one away from it."""
    from sparrow.box import binaries
    from sparrow.knowledge import chroma_folder

    binaries.check_chroma()
    wait("the data folder", lambda: _writable(settings.chroma_dir))
    lock = os.open(settings.chroma_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    wait("another Chroma to leave its folder", lambda: _locked(lock), seconds=20)
    if chroma_folder.prepare(settings.chroma_dir):
        print("chroma: its folder was damaged and is made anew from the database", file=sys.stderr, flush=True)
    os.environ.update(ANONYMIZED_TELEMETRY="False", SQLITE_TMPDIR=str(settings.chroma_dir))
    os.set_inheritable(lock, True)
    _become_python("sparrow.box.chroma_server", "run", "--path", settings.chroma_dir, "--host", "127.0.0.1",
                   "--port", settings.chroma_port)


def api(settings: Settings) -> None:
    """Bring the database up to date if needed, then become gunicorn."""
    wait("the data folder", lambda: _writable(settings.db_dir))
    reserve.keep(settings.db_dir, patience=0)
    _share_database(settings)
    if not _migrated(settings):
        done = subprocess.run([sys.executable, "-P", "-m", "sparrow.cli", "migrate"], check=False)
        if done.returncode:
            raise Unavailable("The database could not be brought up to date; the lines above say why.")
    _become_python("gunicorn", "--config", "python:sparrow.box.gunicorn_conf", "sparrow.api:create_app()")


def worker(settings: Settings) -> None:
    """Become the RQ worker once Redis answers; it waits for the database itself."""
    wait("the data folder", lambda: _writable(settings.db_dir))
    if settings.own_redis:
        wait("Redis", lambda: _answers(settings.redis_socket))
    _become_python("sparrow.cli", "worker")


def caddy(settings: Settings) -> None:
    """Become Caddy once the certificate is there."""
    from sparrow.box import binaries, tls

    server = binaries.caddy()
    pem = tls.server_file(settings)
    wait("the server certificate", lambda: os.access(pem, os.R_OK))
    home = settings.run_dir / "caddy"
    os.environ.update(
        HOME=str(home), XDG_DATA_HOME=str(home), XDG_CONFIG_HOME=str(home), GOGC="50", GOMEMLIMIT="40MiB",
        SPARROW_RUN_DIR=str(settings.run_dir), SPARROW_WEB_DIR=str(settings.web_dir), SPARROW_TLS=str(pem),
        SPARROW_BIND=settings.bind or "0.0.0.0 [::]", SPARROW_HOSTNAME=settings.hostname,
        SPARROW_HTTP_PORT=str(settings.http_port), SPARROW_HTTPS_PORT=str(settings.https_port),
        SPARROW_HTTP_SITE="site" if settings.dev else "redirect",
        SPARROW_MAX_UPLOAD=f"{settings.max_upload_mb}MB")
    if not settings.bind and not socket.has_dualstack_ipv6():
        os.environ["SPARROW_BIND"] = "0.0.0.0"
    _become(server, "run", "--config", settings.home_dir / "caddy" / "Caddyfile", "--adapter", "caddyfile")


def screen(settings: Settings) -> None:
    """Become the screen program: state, setup code, control socket."""
    _become_python("sparrow.box.screen")


LAUNCHERS: dict[str, Callable[[Settings], None]] = {
    "redis": redis, "chroma": chroma, "api": api, "worker": worker, "caddy": caddy, "screen": screen}


def wait(what: str, ready: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Return when `ready()` is true; raise Unavailable after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while not ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"Waited {seconds:.0f} s for {what}, in vain.")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def end_with_parent() -> None:
    """Have the kernel send TERM to this process when supervisord dies: nobody would look after it any more.

    Survives exec, so that a killed supervisord leaves nothing behind that would hold sockets and locks.
    """
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # died before the call
        sys.exit(1)


def _answers(path: Path) -> bool:
    """Tell whether somebody listens on a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def _become(program: Path, *arguments: object) -> None:
    try:
        os.execv(program, [str(program), *map(str, arguments)])
    except OSError as error:
        raise Unavailable(f"{program} cannot be run: {error.strerror}.")


def _become_python(module: str, *arguments: object) -> None:
    _become(Path(sys.executable), "-P", "-m", module, *arguments)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _database_file(settings: Settings) -> Path | None:
    """Return the file of the SQLite database, None for another kind."""
    from urllib.parse import unquote, urlsplit

    url = urlsplit(settings.database_url)
    return Path(unquote(url.path[1:])) if url.scheme.startswith("sqlite") else None


def _share_database(settings: Settings) -> None:
    """Let the group write to the database: SQLite makes its file for the owner alone, and copies that mode to
    the files beside it."""
    path = _database_file(settings)
    if path is None:
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, 0o660)
        finally:
            os.close(descriptor)
    except OSError as error:
        from sparrow.box import layout

        raise layout.explain(path, error)


def _migrated(settings: Settings) -> bool:
    """Tell whether the SQLite database is at the newest revision, without importing SQLAlchemy (0.3 s)."""
    path = _database_file(settings)
    if path is None:
        return False  # `migrate` asks the server itself
    versions = Path(_settings.__file__).parent / "storage" / "migrations" / "versions"
    try:
        head = max(file.name.split("_")[0] for file in versions.glob("[0-9]*.py"))
        if not path.is_file():
            return False
        from pysqlite3 import dbapi2

        connection = dbapi2.connect(path, timeout=5)
        try:
            return connection.execute("SELECT version_num FROM alembic_version").fetchone() == (head,)
        finally:
            connection.close()
    except Exception:  # any doubt: `migrate` looks closely and says what is wrong
        return False


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


if __name__ == "__main__":
    main(sys.argv[1:])
