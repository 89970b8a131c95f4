"""`sparrow app`: app files in and out, lists and keys, from the shell."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(commands) -> None:
    """Add the commands of this module."""
    command = commands.add_parser("app", help="import, export and list apps; make keys")
    command.set_defaults(parser=command)
    verbs = command.add_subparsers(metavar="VERB")
    verb = verbs.add_parser("import", help="import app files of Dify or Sparrow",
                            description="Import app files. A file of a newer format is imported too, with a note.")
    verb.add_argument("files", nargs="+", metavar="FILE", type=Path)
    verb.add_argument("--publish", action="store_true", help="publish each app at once")
    verb.add_argument("--json", action="store_true", help="print one JSON object a file")
    verb.set_defaults(run=_import)
    verb = verbs.add_parser("export", help="write an app's file to standard output")
    verb.add_argument("id", metavar="ID")
    verb.add_argument("--secrets", action="store_true", help="with the values of its secrets")
    verb.add_argument("--version", metavar="ID", help="a published version instead of the draft")
    verb.set_defaults(run=_export)
    verb = verbs.add_parser("list", help="list the apps")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb.set_defaults(run=_list)
    verb = verbs.add_parser("key", help="make an API key of an app and print it (it is shown only once)")
    verb.add_argument("id", metavar="ID")
    verb.add_argument("--name", default="", help="what the key is for")
    verb.set_defaults(run=_key)


def _import(given: argparse.Namespace) -> int:
    import dataclasses

    from sparrow.apps import app, transfer, version

    failed = 0
    for path in given.files:
        try:
            content = path.read_bytes()
        except OSError as error:
            result = transfer.Import("", "failed", error=f"{error.strerror or error}")
        else:
            result = transfer.load(content)
        newer = result.status == "pending"
        if newer:
            result = transfer.confirm(result.id)
        if result.app_id and given.publish:
            version.publish(app.get(result.app_id))
        failed += result.status == "failed"
        if given.json:
            print(json.dumps({"file": str(path), **dataclasses.asdict(result)}, ensure_ascii=False))
            continue
        if result.status == "failed":
            print(f"{path}: {result.error}", file=sys.stderr)
            continue
        print(f"{path}: {result.app_id} {result.app_mode}" + (" (of a newer format)" if newer else ""))
        for warning in result.warnings:
            print(f"  {f'{warning.title}: ' if warning.title else ''}{warning.message}")
    return 1 if failed else 0


def _export(given: argparse.Namespace) -> int:
    from sparrow.apps import app, transfer

    sys.stdout.write(transfer.dump(app.get(given.id), include_secret=given.secrets, version_id=given.version))
    return 0


def _list(given: argparse.Namespace) -> int:
    from sparrow.apps import app

    rows, _ = app.find(limit=100_000)
    if given.json:
        print(json.dumps([{"id": row.id, "name": row.name, "mode": row.mode, "published": row.published_id is not None}
                          for row in rows], ensure_ascii=False))
        return 0
    for row in rows:
        print(f"{row.id}  {row.mode:13}  {row.name}{'' if row.published_id else '  (not published)'}")
    return 0


def _key(given: argparse.Namespace) -> int:
    from sparrow.apps import key

    _, token = key.create(given.id, given.name)
    print(token)
    return 0
