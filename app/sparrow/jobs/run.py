"""Run a job: claim its row, call its function, settle its row. RQ calls `run_job` in a forked child.

Of the kinds that come in crowds, and need more time to load than to run, a child runs one after the other for a turn.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import traceback
from collections.abc import Callable

import sqlalchemy as sa

from sparrow import clock
from sparrow.jobs import claim, kinds
from sparrow.storage import db, queue
from sparrow.storage.tables.jobs import jobs

log = logging.getLogger(__name__)

# Set by the worker before it forks: the mark by which its children's jobs are known, and what spares it the fork for a
# job that a child runs by itself.
owner = ""
spare: Callable[[str], None] | None = None

TURN = 20.0  # seconds after which a child begins no other job: other memory, other kinds


def run_job(job_id: str) -> None:
    """Run a queued job, and those of its kind that are next in the queue if it is one of `kinds.IN_TURN`.

    Does nothing if it is not queued any more, so a double delivery is harmless.
    """
    _end_with_worker()
    until = clock.monotonic() + TURN
    kind = run_one(job_id)
    while kind in kinds.IN_TURN and clock.monotonic() < until:
        with db.read() as tx:
            following = tx.execute(sa.select(jobs.c.id, jobs.c.kind).where(jobs.c.state == "queued")
                                   .order_by(jobs.c.created_at).limit(1)).first()
        if following is None or following.kind != kind:
            return  # nobody else waits longer than without turns
        if spare is not None:
            spare(following.id)
        kind = run_one(following.id)


def run_one(job_id: str) -> str | None:
    """Run one job and return its kind; None if it is not queued any more or another one of its key runs."""
    row = _claim(job_id)
    if row is None:
        return None
    try:
        kinds.load(row["kind"])(row["payload"], kinds.JobContext(job_id, row["attempts"] > 0))
    except Exception as error:
        log.error("job %s (%s) failed: %s", job_id, row["kind"], traceback.format_exc())
        _settle(job_id, "failed", str(error) or type(error).__name__)
    else:
        _settle(job_id, "succeeded", None)
    if row["key"]:
        queue.ring(job_id)  # another job of this key may be waiting for its end
    return row["kind"]


def _end_with_worker() -> None:
    """Have the kernel end this child with its worker, whose jobs another one takes over."""
    if owner and owner != claim.mark(os.getpid()):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if claim.mark(os.getppid()) != owner:
            os._exit(1)


def _claim(job_id: str):
    """Take the job for this process; None if another has it, or one of the same key is running."""
    now = clock.now()
    with db.write() as tx:
        row = tx.execute(jobs.select().where(jobs.c.id == job_id).with_for_update()).mappings().first()
        if row is None or row["state"] != "queued":
            return None
        if row["key"]:
            db.take_turns(tx, f"job:{row['key']}")
        if row["key"] and tx.execute(
                jobs.select().where(jobs.c.key == row["key"], jobs.c.state == "running")).first():
            return None  # it stays queued; the dispatcher offers it again
        tx.execute(jobs.update().where(jobs.c.id == job_id).values(
            state="running", worker=owner or claim.mark(os.getpid()), attempts=row["attempts"] + 1,
            started_at=now, updated_at=now))
    return row


def _settle(job_id: str, state: str, error: str | None) -> None:
    now = clock.now()
    with db.write() as tx:
        # A cancelled job stays cancelled.
        tx.execute(jobs.update().where(jobs.c.id == job_id, jobs.c.state == "running").values(
            state=state, error=error, finished_at=now, updated_at=now))
