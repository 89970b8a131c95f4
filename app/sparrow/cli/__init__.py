"""The `sparrow` command. Each module of this room is one subject: its `register(commands)` adds subcommands.

Modules import what they need inside their functions, so that `sparrow --help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys

from sparrow import __version__
from sparrow.errors import SparrowError

_EPILOG = """\
examples:
  sparrow dev --data ./data --port 8080    run everything on this machine, in a folder
  sparrow health                           how is the box? (exit status 1 if it is not well)
  sparrow logs worker                      what did the worker say last?
  sparrow password                         set a new password for the admin

`sparrow COMMAND --help` explains a command. Commands work on the data of this box (/data);
--data names another folder, such as the one given to `sparrow dev`.
"""


class _Format(argparse.RawDescriptionHelpFormatter):
    """Keep the lines of the examples, and leave room for the names of the commands."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=22)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0 well, 1 failed, 2 wrongly called, 130 interrupted."""
    parser = build()
    given = parser.parse_args(arguments)
    if not hasattr(given, "run"):
        getattr(given, "parser", parser).print_help()
        return 2
    if os.geteuid() == 0 and not getattr(given, "own_modes", False):
        os.umask(0o007)  # what root makes among the data, the group of the API and the worker must be able to change
    try:
        if getattr(given, "data", None) and not getattr(given, "own_data", False):
            from sparrow.cli import place

            place.use(given.data)
        return given.run(given) or 0
    except SparrowError as error:
        print(f"sparrow: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `sparrow logs api | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def build() -> argparse.ArgumentParser:
    """Return the parser with the commands of all modules of this room."""
    parser = argparse.ArgumentParser(
        prog="sparrow", description="Sparrow builds and runs LLM applications on one small box.",
        epilog=_EPILOG, formatter_class=_Format)
    parser.add_argument("--version", action="version", version=f"sparrow {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            register = getattr(importlib.import_module(f"{__name__}.{module.name}"), "register", None)
            if register is not None:
                register(commands)
    for command in commands.choices.values():
        _add_data(command)
    return parser


def _add_data(command: argparse.ArgumentParser) -> None:
    """Give a command and those below it the option --data, unless it has one of its own."""
    if "--data" not in command._option_string_actions:
        command.add_argument("--data", metavar="DIR", default=argparse.SUPPRESS, help="the data folder to work on")
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _add_data(below)
