"""Commands about the box: health, logs, screen, certificates, the process table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparrow import __version__


def register(commands) -> None:
    """Add the commands of this module."""
    command = commands.add_parser(
        "health", help="tell how the box is, and what to do if it is not well",
        description="Tell how the box is. Exit status: 0 well or degraded, 1 not well.")
    command.add_argument("--json", action="store_true", help="print all that is known, as JSON")
    command.set_defaults(run=_health)

    command = commands.add_parser("logs", help="show what a program wrote last")
    command.add_argument("program", help="api, worker, redis, chroma, caddy, screen or supervisord")
    command.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="how many lines (default: 50)")
    command.set_defaults(run=_logs)

    command = commands.add_parser("restart", help="restart one program: api, worker, caddy or chroma")
    command.add_argument("program", choices=("api", "worker", "caddy", "chroma"))
    command.set_defaults(run=_restart)

    command = commands.add_parser("screen", help="print what the box's screen shows")
    command.set_defaults(run=_screen)

    command = commands.add_parser(
        "supervise", help="run the box (its init calls this)",
        description="Make the folders, the certificate and the pages of the box, then become supervisord. "
                    "For a machine that is not a box, see `sparrow dev`.")
    command.set_defaults(run=_supervise, own_modes=True)

    command = commands.add_parser("version", help="print the versions of Sparrow and what it is built on")
    command.set_defaults(run=_version)

    tls = commands.add_parser(
        "tls", help="the box's certificate: show, renew, use your own",
        description="The box makes its own certificate authority and server certificate. Open http://BOX/ca to "
                    "trust it, or install a certificate of your company.")
    tls.set_defaults(parser=tls)
    verbs = tls.add_subparsers(title="commands", metavar="COMMAND")
    verbs.add_parser("show", help="print the fingerprint, the names and the files").set_defaults(run=_tls_show)
    verbs.add_parser("ensure", help="make what is missing or about to expire").set_defaults(run=_tls_ensure)
    verbs.add_parser("renew", help="make a new server certificate now").set_defaults(run=_tls_renew)
    command = verbs.add_parser("install", help="use a certificate of your own")
    command.add_argument("certificate", type=Path, help="the certificate and its chain, PEM")
    command.add_argument("key", type=Path, help="its private key, PEM, without a password")
    command.set_defaults(run=_tls_install)
    verbs.add_parser("remove", help="go back to the box's own certificate").set_defaults(run=_tls_remove)


def _health(given: argparse.Namespace) -> int:
    from sparrow.box import health

    status = health.status()
    if given.json:
        import json

        print(json.dumps(status, indent=2, ensure_ascii=False))
    else:
        print(f"Sparrow {status['version']}: {status['status']}")
        for program in status["programs"]:
            wanted = "" if program["wanted"] or program["state"] == "RUNNING" else "  (not needed now)"
            restarts = f"  {program['restarts']} restarts" if program["restarts"] else ""
            print(f"  {program['name']:8} {program['state'].lower()}{wanted}{restarts}")
        print(f"  disk     {status['disk']['free'] >> 20} MB free of {status['disk']['total'] >> 20} MB")
        print(f"  memory   {status['memory']['available'] >> 20} MB free of {status['memory']['total'] >> 20} MB")
        for problem in status["problems"]:
            print(f"{problem['level']}: {health.text(problem)}")
    return 1 if status["status"] == "error" else 0


def _logs(given: argparse.Namespace) -> int:
    from sparrow import settings
    from sparrow.box import logs

    lines = logs.tail(settings.get(), Path(given.program).name, max(given.lines, 1))
    if not lines:
        print(f"sparrow: {given.program} has written nothing.", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _restart(given: argparse.Namespace) -> None:
    from sparrow.box import control

    control.restart(given.program)
    print(f"{given.program} is being restarted.")


def _screen(_given: argparse.Namespace) -> None:
    from sparrow.box import screen

    print(screen.snapshot())


def _supervise(_given: argparse.Namespace) -> None:
    from sparrow import settings
    from sparrow.box import supervise

    supervise.run(settings.get())


def _tls_show(_given: argparse.Namespace) -> int:
    from sparrow import settings
    from sparrow.box import tls

    current = settings.get()
    mark = tls.fingerprint(current)
    if mark is None:
        print("sparrow: there is no certificate yet; `sparrow tls ensure` makes it.", file=sys.stderr)
        return 1
    print(f"SHA-256 of the authority:  {mark}\nauthority:                 {tls.ca_file(current)}\n"
          f"served:                    {tls.server_file(current)}\n"
          f"names:                     {', '.join(tls.covered(current))}")
    if reason := tls.stale(current):
        print(f"to be renewed:             {reason}")
    return 0


def _tls_ensure(_given: argparse.Namespace) -> None:
    from sparrow import settings
    from sparrow.box import tls

    reason = tls.ensure(settings.get())
    print(f"Made a server certificate: {reason}." if reason else "The certificate is good.")


def _tls_renew(_given: argparse.Namespace) -> None:
    from sparrow import settings
    from sparrow.box import tls

    tls.ensure(settings.get(), force=True)
    print("Made a new server certificate.")
    _reload_caddy()


def _tls_install(given: argparse.Namespace) -> None:
    from sparrow import settings
    from sparrow.box import tls
    from sparrow.errors import BadRequest

    try:
        certificate, key = given.certificate.read_bytes(), given.key.read_bytes()
    except OSError as error:
        raise BadRequest(f"Cannot read {error.filename}: {error.strerror}.")
    tls.install(settings.get(), certificate, key)
    print("Your certificate is installed.")
    _reload_caddy()


def _tls_remove(_given: argparse.Namespace) -> None:
    from sparrow import settings
    from sparrow.box import tls

    tls.remove(settings.get())
    print("The box uses its own certificate again.")
    _reload_caddy()


def _reload_caddy() -> None:
    from sparrow.box import control
    from sparrow.errors import Unavailable

    try:
        control.restart("caddy")
    except Unavailable:
        print("It is used from the next start on.")


def _version(_given: argparse.Namespace) -> None:
    import platform
    from importlib import metadata

    print(f"sparrow      {__version__}")
    print(f"python       {platform.python_version()} on {platform.machine()} {platform.libc_ver()[0] or 'musl'}")
    try:
        from pysqlite3 import dbapi2

        print(f"sqlite       {dbapi2.sqlite_version}")
    except ImportError:
        print("sqlite       pysqlite3 is missing")
    for package in ("flask", "gunicorn", "rq", "redis", "sqlalchemy", "supervisor"):
        try:
            print(f"{package:12} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package:12} missing")
