"""Commands about the admin: the setup code, the password."""

from __future__ import annotations

import argparse
import sys


def register(commands) -> None:
    """Add the commands of this module."""
    command = commands.add_parser(
        "password", help="set a new password for the admin",
        description="Set a new password for the admin and end all sessions. Asks for it, or reads one line "
                    "where there is no terminal.")
    command.set_defaults(run=_password)
    command = commands.add_parser("setup-code", help="print the code that the first visit asks for")
    command.set_defaults(run=_setup_code)


def _password(_given: argparse.Namespace) -> int:
    from sparrow.box import account

    if sys.stdin.isatty():
        import getpass

        new = getpass.getpass("New password: ")
        if getpass.getpass("Once more:    ") != new:
            print("sparrow: the two are not the same; nothing was changed.", file=sys.stderr)
            return 1
    else:
        new = sys.stdin.readline().rstrip("\n")
    if account.exists():
        account.set_password(new)
    else:
        account.create(new)
    print("The password is set. All sessions are closed.")
    return 0


def _setup_code(_given: argparse.Namespace) -> int:
    from sparrow.box import account

    if account.exists():
        print("sparrow: the admin is set up already, so there is no setup code. `sparrow password` sets a new "
              "password.", file=sys.stderr)
        return 1
    print(account.setup_code())
    return 0
