"""Where documents come from beside an upload and the web: folders of the box, USB sticks, and a watched folder.

The watched folder is an inbox: what is put into `drop/NAME/` becomes a document of the base NAME (made where there
is none) and is taken out of the folder once it is stored, so that the disk holds it once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sparrow import clock, settings
from sparrow.errors import BadRequest, NotFound, SparrowError
from sparrow.storage import db, files, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files as file_table
from sparrow.storage.tables.jobs import jobs

from . import ocr

MAX_ENTRIES = 5000
SETTLED = 5.0  # seconds a file must not have changed before it is taken: it may still be being copied
INBOX = "Drop"  # the base of files that lie in the drop folder itself


def places() -> list[dict[str, Any]]:
    """Return the folders that can be browsed: `drop`, and each stick below the media folder as `usb:NAME`."""
    found = []
    if settings.get().drop_dir.is_dir():
        found.append({"id": "drop", "kind": "drop", "name": settings.get().drop_dir.name})
    media = settings.get().media_dir
    try:
        names = sorted(entry.name for entry in os.scandir(media) if entry.is_dir(follow_symlinks=False))
    except OSError:
        names = []
    for name in names:
        try:
            if any(os.scandir(media / name)):  # an empty folder is a mount point without a stick
                found.append({"id": f"usb:{name}", "kind": "usb", "name": name})
        except OSError:
            continue
    return found


def browse(place: str, path: str = "", *, deep: bool = False) -> list[dict[str, Any]]:
    """Return a folder's entries, folders first: {name, path, folder, size, supported}; `deep` lists all files below."""
    root = _root(place)
    folder = _inside(root, path)
    if not folder.is_dir():
        raise NotFound("There is no such folder; was the stick pulled out?")
    found: list[dict[str, Any]] = []
    try:
        for entry in _walk(folder) if deep else os.scandir(folder):
            if entry.name.startswith(".") or entry.is_symlink() or _shown(entry.name) != entry.name:
                continue
            is_folder = entry.is_dir()
            if is_folder and deep:
                continue
            found.append({"name": entry.name, "path": os.path.relpath(entry.path, root), "folder": is_folder,
                          "size": 0 if is_folder else entry.stat().st_size,
                          "supported": is_folder or ocr.readable(entry.name)})
            if len(found) >= MAX_ENTRIES:
                break
    except OSError as error:
        raise BadRequest(f"The folder cannot be read: {error.strerror}.", params="path") from error
    return sorted(found, key=lambda entry: (not entry["folder"], entry["path"].lower()))


def take(place: str, path: str) -> Any:
    """Copy a file of a place into the box's files and return its row."""
    found = _inside(_root(place), path)
    try:
        with _open(found) as stream:
            return files.save(stream, found.name, max_bytes=settings.get().max_upload_mb << 20)
    except OSError as error:
        raise BadRequest(f"{found.name} cannot be read: {error.strerror}.", params="path") from error


def waiting() -> bool:
    """Tell whether the drop folder holds a file that can be taken; cheap, asked by the worker every few seconds."""
    return next(_dropped(), None) is not None


def take_dropped(payload: dict[str, Any] | None = None, context: Any = None) -> int:
    """Make documents of what lies in the drop folder and take it out; return how many (sparrow.jobs.kinds)."""
    from . import datasets, documents

    taken = 0
    for path, name in list(_dropped()):
        try:
            base = _base(datasets, name)
            with _open(path) as stream:
                row = files.save(stream, path.name, max_bytes=settings.get().max_upload_mb << 20)
            inside = str(path.relative_to(settings.get().drop_dir))
            if _taken_before(base["id"], inside, row["sha256"]):
                files.delete(row["id"])
            else:
                documents.add_files(base["id"], [row["id"]], created_from="drop",
                                    info={row["id"]: {"info": {"drop": inside}}})
            path.unlink()
            taken += 1
        except (OSError, SparrowError) as error:
            _refuse(path, getattr(error, "message", None) or str(error))
    return taken


def watch() -> None:
    """Queue the taking of dropped files if there are any and nobody is at it."""
    if not waiting():
        return
    with db.read() as tx:
        busy = tx.execute(sa.select(jobs.c.id).where(
            jobs.c.key == "take_dropped", jobs.c.state.in_(queue.LIVE)).limit(1)).first()
    if busy is None:
        queue.submit("take_dropped", {}, key="take_dropped")


def _dropped() -> Iterator[tuple[Path, str]]:
    """Yield the settled files of the drop folder with the name of the base they belong to."""
    root = settings.get().drop_dir
    if not root.is_dir():
        return
    for entry in _walk(root):
        path = Path(entry.path)
        inside = path.relative_to(root)
        if any(part.startswith(".") for part in inside.parts) or inside.name.endswith(".refused.txt"):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and clock.now() - max(status.st_mtime, status.st_ctime) > SETTLED \
                and not path.with_name(f"{path.name}.refused.txt").exists():
            yield path, inside.parts[0] if len(inside.parts) > 1 else INBOX


def _taken_before(dataset_id: str, inside: str, sha256: str) -> bool:
    """Tell whether a power cut came between the adding of a file and its removal from the folder."""
    d, f = t.documents.c, file_table.c
    with db.read() as tx:
        return any((info or {}).get("drop") == inside for info in tx.execute(
            sa.select(d.data_source_info).join(file_table, f.id == d.file_id).where(
                d.dataset_id == dataset_id, d.created_from == "drop", f.sha256 == sha256)).scalars())


def _base(datasets: Any, name: str) -> dict[str, Any]:
    name = _shown(name).strip()[:datasets.MAX_NAME].strip() or INBOX
    found = next((row for row in datasets.search(keyword=name, limit=1000)[0] if row["name"] == name), None)
    return found or datasets.create(name)


def _refuse(path: Path, why: str) -> None:
    """Leave the file where it is, with the reason beside it; it is tried again when that note is deleted."""
    try:
        path.with_name(f"{path.name}.refused.txt").write_text(f"{why}\n", encoding="utf-8")
    except OSError:
        pass  # a full or read-only disk: the next look tries again


def _walk(folder: Path) -> Iterator[os.DirEntry]:
    """Yield all entries below a folder, without following links."""
    pending = [str(folder)]
    while pending:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                yield entry


def _root(place: str) -> Path:
    if any(known["id"] == place for known in places()):
        return settings.get().drop_dir if place == "drop" else settings.get().media_dir / place.removeprefix("usb:")
    raise NotFound("There is no such place; was the stick pulled out?")


def _inside(root: Path, path: str) -> Path:
    """Return a path below a root; raise BadRequest for one that leads out of it, also by a link."""
    target = root / path
    if "\x00" in path or os.path.isabs(path) or not Path(os.path.realpath(target)).is_relative_to(
            os.path.realpath(root)):
        raise BadRequest("The path leads out of the folder.", params="path")
    return target


def _open(path: Path):
    """Open a regular file, not a link, device or pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadRequest(f"{path.name} is not a file.", params="path")
    return os.fdopen(descriptor, "rb")


def _shown(name: str) -> str:
    """Return a name without bytes that are no UTF-8."""
    return name.encode("utf-8", "replace").decode()
