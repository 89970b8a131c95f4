"""`sparrow dataset`: documents into knowledge bases, and their indexes, from the shell."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any


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
    verb = verbs.add_parser("export", help="write a whole knowledge base into one file",
                            description="Write a knowledge base with its originals, passages, vectors and settings "
                                        "into one file, for another box or as a copy. FILE - is standard output.")
    verb.add_argument("name", metavar="NAME", help="the base's name or id")
    verb.add_argument("file", metavar="FILE", nargs="?", help="where to (NAME.sparrow-knowledge)")
    verb.set_defaults(run=_export)
    verb = verbs.add_parser("import", help="make a knowledge base from an exported file")
    verb.add_argument("file", metavar="FILE", type=Path)
    verb.add_argument("--name", default="", help="its name here (default: as it was)")
    verb.set_defaults(run=_import)


def _add(given: argparse.Namespace) -> int:
    from sparrow.errors import SparrowError
    from sparrow.knowledge import datasets, documents, ocr
    from sparrow.storage import files

    paths = [path for entry in given.files for path in
             (sorted(p for p in entry.rglob("*") if p.is_file() and ocr.readable(p.name))
              if entry.is_dir() else [entry])]
    base = _find(given.name) or datasets.create(given.name)
    failed = 0
    for path in paths:
        try:
            with open(path, "rb") as stream:
                file = files.save(stream, path.name)
            row = documents.add_files(base["id"], [file["id"]], created_from="cli")[0][0]
            if given.now:
                row = _indexed(base["id"], row["id"])
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


def _indexed(dataset_id: str, document_id: str) -> dict[str, Any]:
    """Index a document here, unless a worker was quicker, and return its row when it is done."""
    from sparrow.jobs import run
    from sparrow.knowledge import documents
    from sparrow.storage import queue

    while True:
        for job_id in queue.queued(f"document:{document_id}"):
            run.run_one(job_id)
        row = documents.get(dataset_id, document_id)
        if row["indexing_status"] not in documents.UNFINISHED:
            return row
        time.sleep(0.2)


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


def _export(given: argparse.Namespace) -> int:
    import os

    from sparrow.errors import SparrowError
    from sparrow.knowledge import datasets, transfer

    try:
        base = _find(given.name) or datasets.get(given.name)
        name, data = transfer.export(base["id"], _progress("passages"))
    except SparrowError as error:
        print(error.message, file=sys.stderr)
        return 1
    if given.file == "-":
        for piece in data:
            sys.stdout.buffer.write(piece)
        return 0
    target = Path(given.file or name)
    part = target.with_name(target.name + ".part")
    try:
        with open(part, "wb") as out:
            for piece in data:
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, target)
    except OSError as error:
        print(f"{target}: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        part.unlink(missing_ok=True)
    print(f"{target}: {target.stat().st_size} bytes")
    return 0


def _import(given: argparse.Namespace) -> int:
    from sparrow.errors import SparrowError
    from sparrow.knowledge import datasets, transfer

    try:
        found = transfer.load(given.file, name=given.name,
                              report=lambda stage, done, total: _progress(stage)(done, total))
    except (SparrowError, OSError) as error:
        print(f"{given.file}: {getattr(error, 'message', None) or error.strerror}", file=sys.stderr)
        return 1
    row = datasets.get(found)
    fact = datasets.facts([row])[found]
    print(f"{row['name']}: {fact['document_count']} documents, {fact['segment_count']} passages ({found})")
    return 0


def _progress(stage: str):
    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{stage} {done}/{total}   ", end="\n" if done >= total else "", file=sys.stderr)

    return show


def _find(name: str):
    from sparrow.knowledge import datasets

    return next((row for row in datasets.search(keyword=name, limit=1000)[0] if row["name"] == name), None)
