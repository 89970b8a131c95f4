"""Whose a running job is, and when it is nobody's any more.

A worker signs the rows it runs with its mark, and renews them while it lives. Workers on one machine see by the mark
whether the other is alive. Of a worker elsewhere (several share one PostgreSQL and one Redis) they only see that it
renews; if it has not for `LEASE` seconds, its jobs go back to the queue.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

import sqlalchemy as sa

from sparrow import clock, settings
from sparrow.jobs import kinds
from sparrow.storage import db
from sparrow.storage.tables.jobs import jobs

LEASE = 60.0  # seconds without a sign of life from a worker elsewhere
# A job whose process dies this often, and which gets no further between, is at fault itself. A death that its worker
# survives counts twice: with the worker other things may have ended.
ATTEMPTS = 10
_GIVEN_UP = "The job ended its process several times and was given up."


def mark(pid: int) -> str:
    """Return the mark of a worker process of this machine (place, pid, start time: never reused); "" for a dead one."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            facts = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if facts[0] in "ZX" else f"{_place()}:{pid}:{facts[19]}"


def renew(me: str) -> None:
    """Tell the others that this worker lives; writes nothing while it runs no job."""
    mine = sa.and_(jobs.c.worker == me, jobs.c.state == "running")
    with db.read() as tx:
        if tx.execute(sa.select(jobs.c.id).where(mine).limit(1)).first() is None:
            return
    with db.write() as tx:
        tx.execute(jobs.update().where(mine).values(updated_at=clock.now()))


def recover() -> list[str]:
    """Give the jobs of workers that are gone back to the queue and return their ids; fail those that killed them
    too often."""
    with db.read() as tx:
        rows = tx.execute(sa.select(jobs.c.id, jobs.c.worker, jobs.c.updated_at)
                          .where(jobs.c.state == "running")).all()
    gone = [row for row in rows if _is_gone(row.worker or "", row.updated_at)]
    return [row.id for row in gone if give_back(row.id, row.worker)]


def give_back(job_id: str, worker: str | None, *, alone: bool = False) -> int:
    """Requeue (or give up) a running job if it is still that worker's; return how many rows that were.

    `alone` says that its process died and the worker lives.
    """
    now, attempts = clock.now(), jobs.c.attempts + int(alone)
    mine = sa.and_(jobs.c.id == job_id, jobs.c.state == "running",
                   jobs.c.worker.is_(None) if worker is None else jobs.c.worker == worker)
    with db.write() as tx:
        hopeless = tx.execute(sa.select(jobs.c.kind, jobs.c.payload).where(mine, attempts >= ATTEMPTS)).first()
        if hopeless is not None:
            tx.execute(jobs.update().where(mine).values(
                state="failed", error=_GIVEN_UP, attempts=attempts, finished_at=now, updated_at=now))
            if hopeless.kind in kinds.GIVEN_UP:
                module, name = kinds.GIVEN_UP[hopeless.kind]
                getattr(import_module(module), name)(hopeless.payload)
            return 0
        return tx.execute(jobs.update().where(mine).values(
            state="queued", worker=None, attempts=attempts, updated_at=now)).rowcount


def put_back(me: str) -> None:
    """Return the jobs that a stopping worker has ended to the queue; a stop is no failure of theirs."""
    with db.write() as tx:
        tx.execute(jobs.update().where(jobs.c.worker == me, jobs.c.state == "running").values(
            state="queued", worker=None, attempts=jobs.c.attempts - 1, updated_at=clock.now()))


def _is_gone(owner: str, renewed: float) -> bool:
    place, _, rest = owner.partition(":")
    if place == _place():
        return mark(int(rest.partition(":")[0])) != owner
    # Nobody elsewhere reaches the Redis of this box: the mark is of a time before the last boot.
    return settings.get().own_redis or clock.now() - renewed > LEASE


@cache
def _place() -> str:
    """Return what tells apart machines, their boots, and containers with processes of their own."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return f"{file.read(8)}-{os.stat('/proc/self/ns/pid').st_ino:x}"
