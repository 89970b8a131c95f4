"""The jobs that bring Chroma's collections up to date where it was away: of one base, or of all when the box starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from sparrow.storage import db, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.jobs import jobs

from . import chroma


def submit(dataset_id: str) -> None:
    """Queue the bringing up to date of a base's Chroma collection, unless that waits in the queue already."""
    key = f"sync:{dataset_id}"
    with db.write() as tx:
        if tx.execute(sa.select(jobs.c.id).where(jobs.c.key == key, jobs.c.state == "queued").limit(1)).first():
            return
        job = queue.add(tx, "sync_dataset", {"dataset_id": dataset_id}, key=key)
    queue.ring(job)


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Bring the Chroma collection a job names up to date; a server that is away is no failure."""
    # For the first base of a box Chroma is only started, and a short document is indexed sooner.
    _heal(lambda: chroma.check(payload["dataset_id"]), starting=not _in_use())


def check_all() -> None:
    """Rebuild what Chroma lost, of all bases; for when the worker starts."""
    with db.read() as tx:
        if tx.execute(sa.select(t.units.c.serial).limit(1)).first() is None:
            return
    _heal(chroma.check_all, starting=True)  # both start together; the box starts Chroma a moment later


def _in_use() -> bool:
    """Tell whether Chroma has ever had a vector that there is still."""
    u = t.units.c
    with db.read() as tx:
        return tx.execute(sa.select(u.serial).where(u.synced.is_(True), u.uses.like("v%")).limit(1)).first() is not None


def _heal(action: Callable[[], object], *, starting: bool) -> None:
    """Have Chroma's collections checked, waiting up to half a minute for a server that is starting or that crashes.

    Where a damaged file makes it crash, its launcher needs some starts to see that and to begin with an empty folder.
    """
    for _ in range(30):
        try:
            action()
            return
        except chroma.Failed:
            starting = True
        except chroma.Down:
            if not starting:
                return
        time.sleep(1)
