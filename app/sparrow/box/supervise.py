"""Become supervisord: the folders, the certificate, the pages and the environment come first.

`sparrow supervise` on the box (respawned by init) and `sparrow dev` on a host both come through here, so that
supervisord.conf is the same for both.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import IO

from sparrow.box import layout, pages, tls
from sparrow.errors import Unavailable
from sparrow.settings import Settings, cache_dir
from sparrow.storage import durable

_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
# Without I, O, 0 and 1, which people misread. Same as sparrow.box.account, which is too heavy to import here.
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def prepare(settings: Settings) -> None:
    """Make what the programs expect to find. Raises Unavailable with what to do."""
    layout.make(settings)
    for path in settings.temp_dir.iterdir():  # of a power cut
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    if not configuration(settings).is_file():
        raise Unavailable(f"{configuration(settings)} is missing. SPARROW_HOME_DIR must name the folder of "
                          "supervisord.conf and caddy/.")
    tls.ensure(settings)
    pages.write(settings)
    _first_code(settings)
    if os.geteuid() == 0 and not settings.dev:
        _allow_low_ports(min(settings.http_port, settings.https_port))
        _lend_consoles(settings)


def configuration(settings: Settings) -> Path:
    """Return the process table; SPARROW_SUPERVISORD_CONF may name another one."""
    return Path(os.environ.get("SPARROW_SUPERVISORD_CONF") or settings.home_dir / "supervisord.conf")


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that supervisord.conf's %(ENV_…)s and the programs are given."""
    result = {name: value for name, value in os.environ.items() if name.startswith("SPARROW_")}
    for name in ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
                 "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        if name in os.environ:
            result[name] = os.environ[name]
    own = settings.dev
    users = {f"SPARROW_USER_{program.upper()}": str(os.geteuid()) if own else user
             for program, user in layout.USERS.items()}
    for name in ("hostname", "bind", "http_port", "https_port", "chroma_port", "max_upload_mb", "web_dir", "log_level"):
        # For the programs that may not read the settings file; none of these is secret.
        result["SPARROW_" + name.upper()] = str(getattr(settings, name))
    if own:  # HOME goes with the processes; the model and the dictionary that were converted need not
        result["XDG_CACHE_HOME"] = str(cache_dir().parent)
    result.update(
        users,
        HOME=str(settings.run_dir),
        TMPDIR=str(settings.temp_dir),
        PYTHONUNBUFFERED="1",
        PYTHONUTF8="1",
        OPENBLAS_NUM_THREADS="1",  # numpy would else start a thread a core, with stacks of its own
        MALLOC_ARENA_MAX="2",  # glibc only: 64 threads would else make 16 heaps
        SPARROW_USER_ROOT=str(os.geteuid()),
        SPARROW_SOCKET_OWNER=f"{os.geteuid()}:{os.getegid()}" if own else "root:sparrow-screen",
        SPARROW_PYTHON=sys.executable,
        SPARROW_OWN_REDIS="true" if settings.own_redis else "false",
        SPARROW_DATA_DIR=str(settings.data_dir),
        SPARROW_RUN_DIR=str(settings.run_dir),
        SPARROW_HOME_DIR=str(settings.home_dir),
        SPARROW_DEV="true" if own else "false",
    )
    return result


def command(settings: Settings) -> list[str]:
    """Return the command line of supervisord."""
    return [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(configuration(settings))]


def output(settings: Settings) -> IO[bytes]:
    """Open the file for what supervisord prints besides its log: errors in its configuration."""
    return open(settings.run_dir / "log" / "supervisord.out", "wb")


def run(settings: Settings) -> None:
    """Prepare everything and become supervisord."""
    prepare(settings)
    settings.supervisor_socket.unlink(missing_ok=True)  # of a killed supervisord
    _wake_later(settings)
    with output(settings) as file:  # not over the box's screen
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    arguments = command(settings)
    os.execve(arguments[0], arguments, environment(settings))


def wake(settings: Settings, seconds: float = 8.0) -> None:
    """Knock at supervisord until it listens: it would sleep a second before its first start (4.3)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(settings.supervisor_socket))
                return
            except OSError:
                time.sleep(0.02)


def _wake_later(settings: Settings) -> None:
    """Call `wake` in a process of its own, for this one is about to become supervisord."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    elif os.fork():  # a grandchild: supervisord must not be left with a child it does not know
        os._exit(0)
    else:
        try:
            wake(settings)
        finally:
            os._exit(0)


def _first_code(settings: Settings) -> None:
    """Make the setup code of a new box at once, so that the screen has it before the API is up."""
    database = settings.db_dir / "sparrow.db"
    if settings.admin_password or database.exists() or settings.setup_code_file.exists():
        return
    code = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(8))
    durable.write(settings.setup_code_file, f"{code[:4]}-{code[4:]}\n".encode(), 0o640)
    if os.geteuid() == 0:
        folder = settings.config_dir.stat()
        os.chown(settings.setup_code_file, folder.st_uid, folder.st_gid)


def _allow_low_ports(lowest: int) -> None:
    """Let Caddy's unprivileged user listen on ports 80 and 443: a box has no other users to keep from it."""
    try:
        if int(_UNPRIVILEGED_PORTS.read_text()) > lowest:
            _UNPRIVILEGED_PORTS.write_text(str(lowest))
    except (OSError, ValueError) as error:
        print(f"supervise: ports below 1024 stay closed to Caddy: {error}", file=sys.stderr)


def _lend_consoles(settings: Settings) -> None:
    """Let the screen program write to the consoles, whatever made their device files."""
    import grp

    from sparrow.box import screen

    group = grp.getgrnam(layout.USERS["screen"]).gr_gid
    for path in screen.consoles(settings):
        try:
            os.chown(path, -1, group)
            os.chmod(path, 0o620)
        except OSError:
            pass  # no such console on this machine
