"""Large uploads in pieces, that go on where they broke off: after a lost connection, a reload or a power cut.

A piece is acknowledged when it is fsynced; the length of the file is the offset the next one begins at.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sparrow import clock, ids, settings
from sparrow.errors import BadRequest, Conflict, NotFound, TooLarge
from sparrow.storage import durable, files

PIECE = 8 << 20  # bytes a client should send at once
KEPT = 7 * 86400  # seconds an unfinished upload is kept
_BLOCK = 1 << 20


def begin(name: str, size: int, mime_type: str = "") -> dict[str, Any]:
    """Begin an upload of `size` bytes and return its state; raise TooLarge, or Unavailable for a full disk."""
    limit = settings.get().max_upload_mb
    if size < 1:
        raise BadRequest("The file is empty.", params="size")
    if size > limit << 20:
        raise TooLarge(f"File size exceeded: the limit is {limit} MB.")
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    sweep()
    files.need_room(folder, size)
    upload_id = ids.new_id()
    durable.write(folder / f"{upload_id}.json", msgspec.json.encode(
        {"name": files.clean_name(name), "size": size, "mime_type": mime_type[:255]}))
    (folder / upload_id).touch()
    durable.sync_folder(folder)
    return state(upload_id)


def state(upload_id: str) -> dict[str, Any]:
    """Return {id, name, size, offset, piece}; raise NotFound."""
    given = _given(upload_id)
    try:
        offset = (_folder() / upload_id).stat().st_size
    except FileNotFoundError:  # it is complete and became a file just now, or just before a power cut
        raise _unknown() from None
    return {"id": upload_id, "name": given["name"], "size": given["size"], "offset": offset, "piece": PIECE}


def append(upload_id: str, offset: int, stream: BinaryIO) -> dict[str, Any]:
    """Add a piece and return the state, with the file's row as `file` after the last one.

    Raises Conflict where `offset` is not the end of what is there (its message names that), so that a piece sent
    twice is never stored twice.
    """
    given = _given(upload_id)
    path = _folder() / upload_id
    with _locked(path):
        there = path.stat().st_size
        if offset != there:
            raise Conflict(f"The upload is at {there}, not at {offset}. Go on from there.", code="upload_offset")
        with open(path, "ab") as out:
            try:
                while block := stream.read(_BLOCK):
                    there += len(block)
                    if there > given["size"]:
                        raise BadRequest(f"More was sent than the {given['size']} bytes announced.", params="size")
                    files.need_room(path.parent, len(block))
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            except BadRequest:
                out.truncate(offset)
                while stream.read(_BLOCK):  # an answer before the end of a request breaks the connection it comes by
                    pass
                raise
        found = {"id": upload_id, "name": given["name"], "size": given["size"], "offset": there, "piece": PIECE}
        if there == given["size"]:
            found["file"] = files.adopt(path, given["name"], mime_type=given["mime_type"] or None)
            _remove(upload_id)
        return found


def cancel(upload_id: str) -> None:
    """Forget an upload."""
    _given(upload_id)
    _remove(upload_id)


def sweep() -> None:
    """Forget the uploads that nobody went on with."""
    for path in _folder().glob("*"):
        try:
            if clock.now() - path.stat().st_mtime > KEPT:
                path.unlink()
        except FileNotFoundError:
            continue


def _folder() -> Path:
    return settings.get().files_dir / "incoming"


def _given(upload_id: str) -> dict[str, Any]:
    if ids.is_uuid(upload_id):
        try:
            return msgspec.json.decode((_folder() / f"{upload_id}.json").read_bytes())
        except FileNotFoundError:
            pass
    raise _unknown()


def _unknown() -> NotFound:
    return NotFound("There is no such upload. Begin it anew.", code="upload_not_found")


def _remove(upload_id: str) -> None:
    (_folder() / f"{upload_id}.json").unlink(missing_ok=True)
    (_folder() / upload_id).unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, by then it is known to exist
    except FileNotFoundError:
        raise _unknown() from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Another piece of this upload is being stored.", code="upload_busy") from None
        yield
