"""Uploaded and generated files: a row in `files`, the bytes in the data partition's files folder."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids, settings
from sparrow.errors import NotFound, TooLarge, Unavailable
from sparrow.storage import db, durable
from sparrow.storage.tables.files import files

_BLOCK = 1 << 20
_IN = 500  # bound values of one statement
_RESERVE = 64 << 20  # bytes that stay free for the database and its log


def save(stream: BinaryIO, name: str, *, mime_type: str | None = None, app_id: str | None = None,
         created_by: str = "", max_bytes: int | None = None) -> sa.RowMapping:
    """Store a stream and return its row; the bytes are fsynced before the row exists.

    Raises TooLarge over `max_bytes`, Unavailable when the disk would fill. Leaves nothing behind on failure.
    """
    file_id = ids.new_id()
    target = path(file_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part")
    digest, size = hashlib.sha256(), 0
    try:
        with open(temporary, "wb") as out:
            while block := stream.read(_BLOCK):
                size += len(block)
                if max_bytes is not None and size > max_bytes:
                    raise TooLarge(f"File size exceeded: the limit is {max_bytes // (1 << 20)} MB.")
                need_room(target.parent, len(block))
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        return _settle(temporary, file_id, name, size, digest.hexdigest(), mime_type, app_id, created_by)
    except BaseException:
        temporary.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        raise


def adopt(source: Path, name: str, *, mime_type: str | None = None, app_id: str | None = None,
          created_by: str = "") -> sa.RowMapping:
    """Make a complete, fsynced file of the same disk a stored one without copying it, and return its row."""
    file_id = ids.new_id()
    path(file_id).parent.mkdir(parents=True, exist_ok=True)
    with open(source, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = os.fstat(stream.fileno()).st_size
    try:
        return _settle(source, file_id, name, size, digest, mime_type, app_id, created_by)
    except BaseException:
        with suppress(FileNotFoundError):  # for another try
            os.replace(path(file_id), source)
        raise


def _settle(source: Path, file_id: str, name: str, size: int, digest: str, mime_type: str | None, app_id: str | None,
            created_by: str):
    """Move complete bytes to their place and insert their row."""
    target = path(file_id)
    os.replace(source, target)
    durable.sync_folder(target.parent)
    clean = clean_name(name)
    row = {
        "id": file_id, "name": clean, "size": size, "extension": extension(clean), "sha256": digest,
        "mime_type": (mime_type or mimetypes.guess_type(clean, strict=False)[0] or "application/octet-stream")[:255],
        "app_id": app_id, "created_by": created_by, "created_at": clock.now(),
    }
    with db.write() as tx:
        tx.execute(files.insert(), row)
    return row


def stored_since(moment: float, app_id: str, created_by: str | None = None) -> int:
    """Return how many bytes were uploaded to an app (by one user, if given) since then."""
    where = [files.c.app_id == app_id, files.c.created_at >= moment]
    if created_by is not None:
        where.append(files.c.created_by == created_by)
    with db.read() as tx:
        return int(tx.execute(sa.select(sa.func.coalesce(sa.func.sum(files.c.size), 0)).where(*where)).scalar_one())


def get(file_id: str) -> sa.RowMapping:
    """Return the row of a file; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(files).where(files.c.id == file_id)).mappings().first()
    if row is None:
        raise NotFound("File not found.", code="file_not_found")
    return row


def path(file_id: str) -> Path:
    """Return where the bytes of a file are (by id, so no name a user chose reaches the file system)."""
    # The last characters: the first ones of a version 7 UUID are the time, the same for all of a day.
    return Path(settings.get().data_dir) / "files" / file_id[-2:] / file_id


def delete(file_id: str) -> None:
    """Remove the row, then the bytes; a crash between leaves bytes that `sweep` finds."""
    with db.write() as tx:
        drop(tx, [file_id])


def drop(tx: Connection, file_ids: list[str]) -> None:
    """Delete files with an open write transaction: the rows in it, the bytes once it is done."""
    for at in range(0, len(file_ids), _IN):
        tx.execute(files.delete().where(files.c.id.in_(file_ids[at:at + _IN])))
    db.after_commit(lambda: [path(file_id).unlink(missing_ok=True) for file_id in file_ids])


def sweep(older_than: float = 3600.0) -> int:
    """Delete bytes without a row (left by a power cut) that are older than some seconds; return how many."""
    removed = 0
    for folder in (Path(settings.get().data_dir) / "files").glob("??"):
        old = {path.name: path for path in folder.iterdir() if clock.now() - _changed(path) > older_than}
        with db.read() as tx:
            known = set(tx.execute(sa.select(files.c.id).where(files.c.id.in_(list(old)))).scalars())
        for name in set(old) - known:
            old[name].unlink(missing_ok=True)
            removed += 1
    return removed


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return clock.now()


def clean_name(name: str) -> str:
    """Return a file name fit to show and to download: no folders, no control characters, at most 255 bytes."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = re.sub(r"[\x00-\x1f\x7f]", "", name).strip(" .") or "file"
    stem, dot, suffix = name.rpartition(".")
    while len(name.encode()) > 255:
        stem = (stem or suffix)[:-1]
        name = f"{stem}{dot}{suffix}" if dot else stem
    return name


def extension(name: str) -> str:
    """Return the lower-case extension without its dot, "" if there is none."""
    stem, dot, suffix = name.rpartition(".")
    return suffix.lower()[:32] if dot and stem else ""


def need_room(folder: Path, size: int) -> None:
    """Raise Unavailable where so many bytes would fill the disk."""
    if _free(folder) < size + _RESERVE:
        raise Unavailable("The disk is full. Delete documents or backups, or use a larger disk.",
                          code="disk_full", status=507)


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
