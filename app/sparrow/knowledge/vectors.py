"""Exact nearest neighbours over a memory-mapped file of vectors, in NumPy.

Used for small bases, for searches restricted to few passages, and for all while Chroma is away. The file is a
cache beside the database: rows are appended as units appear, and it is made anew when many of its rows are gone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sparrow import settings
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

if TYPE_CHECKING:
    import numpy as np

_FETCH = 2000
_OVERLAP = 1000  # serials read again: on PostgreSQL a lower one may become visible after a higher one
_ENDS = sa.select(*(
    sa.select(t.units.c.serial).where(t.units.c.dataset_id == sa.bindparam("base"), t.units.c.synced.is_(synced))
    .order_by(t.units.c.serial.desc()).limit(1).scalar_subquery() for synced in (False, True)))
_lock = threading.Lock()
_open: dict[str, _File] = {}


class _File:
    """A base's vectors as two arrays: serials (int64) and vectors (float32, one row each)."""

    __slots__ = ("matrix", "serials", "signature")

    def __init__(self, serials, matrix, signature):
        self.serials, self.matrix, self.signature = serials, matrix, signature


def search(dataset_id: str, epoch: int, model: str, vector: np.ndarray, limit: int, *,
           allowed: set[int] | None = None) -> list[tuple[int, float]]:
    """Return (serial, cosine) of the nearest vectors, best first; `allowed` restricts them to some serials.

    Serials of deleted units may appear: the caller joins with the database anyway.
    """
    import numpy as np

    found = _current(dataset_id, epoch, model, len(vector))
    if found is None or not len(found.serials):
        return []
    if allowed is not None:
        rows = np.flatnonzero(np.isin(found.serials, np.fromiter(allowed, dtype=np.int64, count=len(allowed))))
        if not len(rows):
            return []
        scores = found.matrix[rows] @ vector
        serials = found.serials[rows]
    else:
        scores, serials = found.matrix @ vector, found.serials
    limit = min(limit, len(scores))
    best = np.argpartition(scores, -limit)[-limit:]
    best = best[np.argsort(-scores[best], kind="stable")]
    return list(zip(serials[best].tolist(), scores[best].tolist(), strict=True))


def drop(dataset_id: str) -> None:
    """Delete a base's files (all epochs); its vectors must not outlive it."""
    compact(dataset_id)
    for folder in _root().glob(f"{dataset_id}.*"):
        shutil.rmtree(folder, ignore_errors=True)


def compact(dataset_id: str) -> None:
    """Make the file anew at the next search; called after documents were deleted.

    The folder stays, and with it the lock: a search may be writing there.
    """
    with _lock:
        for key in [key for key in _open if key.startswith(dataset_id)]:
            del _open[key]
    for folder in _root().glob(f"{dataset_id}.*"):
        with suppress(FileNotFoundError), _exclusive(folder):
            for name in ("vectors.bin", "serials.bin"):
                (folder / name).unlink(missing_ok=True)


def _root() -> Path:
    return settings.get().db_dir / "vectors"


def _current(dataset_id: str, epoch: int, model: str, dimension: int) -> _File | None:
    """Return the mapped file, first bringing it up to date with the database."""
    key = f"{dataset_id}.{epoch}"
    newest = _newest(dataset_id)
    if newest is None:
        return None
    with _lock:
        known = _open.get(key)
    folder = _root() / key
    if known is None or known.signature != _signature(folder) or known.serials[-1:].tolist() < [newest]:
        try:
            known = _refresh(folder, dataset_id, model, dimension)
        except FileNotFoundError:  # the base was deleted
            return None
        with _lock:
            if len(_open) > 64:
                _open.clear()
            _open[key] = known
    return known


def _newest(dataset_id: str) -> int | None:
    """Return a base's highest serial: the ends of two ranges of the index by dataset and `synced`, not all of it."""
    with db.read() as tx:
        ends = tx.execute(_ENDS, {"base": dataset_id}).one()
    return max((end for end in ends if end is not None), default=None)


def _signature(folder: Path) -> tuple[int, int]:
    try:
        status = os.stat(folder / "serials.bin")
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_size)


def _refresh(folder: Path, dataset_id: str, model: str, dimension: int) -> _File:
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder):
        vectors, serials = folder / "vectors.bin", folder / "serials.bin"
        have = np.fromfile(serials, dtype=np.int64) if serials.exists() else np.empty(0, dtype=np.int64)
        size = vectors.stat().st_size if vectors.exists() else 0
        if size < len(have) * dimension * 4:  # cut short by a power cut: begin again
            have = have[:0]
            serials.unlink(missing_ok=True)
        if not len(have):
            vectors.unlink(missing_ok=True)
        elif size > len(have) * dimension * 4:
            os.truncate(vectors, len(have) * dimension * 4)
        last = int(have[-1]) if len(have) else 0
        recent = set(have[have > last - _OVERLAP].tolist())
        with open(vectors, "ab") as data, open(serials, "ab") as names:
            after = max(last - _OVERLAP, 0)
            while True:
                with db.read() as tx:
                    rows = tx.execute(
                        sa.select(t.units.c.serial, t.embeddings.c.vector)
                        .join(t.embeddings, sa.and_(t.embeddings.c.hash == t.units.c.hash,
                                                    t.embeddings.c.model == model))
                        .where(t.units.c.dataset_id == dataset_id, t.units.c.serial > after,
                               t.units.c.uses.like("v%"))
                        .order_by(t.units.c.serial).limit(_FETCH)).all()
                if not rows:
                    break
                after = rows[-1][0]
                fresh = [(serial, blob) for serial, blob in rows
                         if serial not in recent and len(blob) == dimension * 4]
                data.write(b"".join(blob for _, blob in fresh))
                data.flush()
                names.write(np.array([serial for serial, _ in fresh], dtype=np.int64).tobytes())
        signature = _signature(folder)
        loaded = np.fromfile(serials, dtype=np.int64)
        if len(loaded):
            matrix = np.memmap(vectors, dtype=np.float32, mode="r", shape=(len(loaded), dimension)).view(np.ndarray)
        else:
            matrix = np.empty((0, dimension), dtype=np.float32)
    return _File(loaded, matrix, signature)


@contextmanager
def _exclusive(folder: Path):
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
