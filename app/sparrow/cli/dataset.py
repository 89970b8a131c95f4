"""`sparrow dataset`: documents into knowledge bases, and their indexes, from the shell."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def register(commands) -> None:
    """Add the commands of this module."""
    command = commands.add_parser("dataset", help="add documents to knowledge bases; rebuild their index")
    command.set_defaults(parser=command)
    verbs = command.add_subparsers(metavar="VERB")
    verb = verbs.add_parser("add", help="add files (or folders of them) to a knowledge base",
                            description="Add files to a knowledge base, which is made if there is none of that name. "
                                        "The worker indexes them; --now does it at once, without one.")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("files", nargs="+", metavar="FILE", type=Path)
    verb.add_argument("--now", action="store_true", help="index here and wait")
    verb.set_defaults(run=_add)
    verb = verbs.add_parser("list", help="list the knowledge bases")
    verb.set_defaults(run=_list)
    verb = verbs.add_parser("rebuild", help="make Chroma's index anew from the database")
    verb.add_argument("name", metavar="NAME", nargs="?", help="only this base")
    verb.set_defaults(run=_rebuild)


def _add(given: argparse.Namespace) -> int:
    from sparrow.errors import SparrowError
    from sparrow.knowledge import datasets, documents, indexing, parse
    from sparrow.storage import files

    paths = [path for entry in given.files for path in
             (sorted(p for p in entry.rglob("*") if p.is_file() and parse.supported(p.name))
              if entry.is_dir() else [entry])]
    base = _find(given.name) or datasets.create(given.name)
    failed = 0
    for path in paths:
        try:
            with open(path, "rb") as stream:
                file = files.save(stream, path.name)
            row = documents.add_files(base["id"], [file["id"]], created_from="cli")[0][0]
            if given.now:
                indexing.run(row["id"])
                row = documents.get(base["id"], row["id"])
        except (OSError, SparrowError) as error:
            failed += 1
            print(f"{path}: {getattr(error, 'message', None) or error}", file=sys.stderr)
            continue
        if row["error"]:
            failed += 1
            print(f"{path}: {row['error']}", file=sys.stderr)
        else:
            print(f"{path}: {documents.display_status(row)}")
    return 1 if failed else 0


def _list(given: argparse.Namespace) -> int:
    from sparrow.knowledge import datasets

    rows, _ = datasets.search(limit=1000)
    facts = datasets.facts(rows)
    for row in rows:
        print(f"{row['id']}  {row['name']}  {facts[row['id']]['document_count']} documents, "
              f"{facts[row['id']]['segment_count']} passages")
    return 0


def _rebuild(given: argparse.Namespace) -> int:
    from sparrow.knowledge import chroma, datasets

    rows = [_find(given.name)] if given.name else datasets.search(limit=1000)[0]
    if rows == [None]:
        print(f"There is no knowledge base {given.name!r}.", file=sys.stderr)
        return 1
    try:
        for row in rows:
            print(f"{row['name']}: {chroma.rebuild(row['id'])} vectors")
    except chroma.Down as error:
        print(f"Chroma does not answer ({error}); the exact search serves meanwhile.", file=sys.stderr)
        return 1
    return 0


def _find(name: str):
    from sparrow.knowledge import datasets

    return next((row for row in datasets.search(keyword=name, limit=1000)[0] if row["name"] == name), None)
