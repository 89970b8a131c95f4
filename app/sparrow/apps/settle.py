"""What is put right when the API starts, and by the worker now and then: what a lost process left unfinished."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from sparrow import clock
from sparrow.apps import live
from sparrow.storage import db
from sparrow.storage.tables.conversations import messages
from sparrow.storage.tables.runs import workflow_runs

log = logging.getLogger(__name__)

_REASON = "The process that ran this was interrupted."
_LONGEST = 3600.0  # seconds after which a run is over for sure, whoever worked on it


def settle() -> int:
    """Mark as failed what claims to be running though its process is gone; return how many rows changed."""
    moment, count = clock.now(), 0
    with db.write() as tx:
        for table, ended in ((messages, {"status": "error", "updated_at": moment}),
                             (workflow_runs, {"status": "failed", "finished_at": moment})):
            running = table.c.status == "running"
            owners = tx.execute(sa.select(table.c.owner).where(running).distinct()).scalars().all()
            alive = {owner: live.is_alive(owner) for owner in owners}
            gone = [owner for owner in owners if alive[owner] is False]
            unknown = [owner for owner in owners if alive[owner] is None]
            lost = table.c.owner.in_(gone)
            if unknown:  # an embedded database has no other machines: what is not known has ended with the last boot
                over = table.c.owner.in_(unknown)
                elsewhere = tx.dialect.name != "sqlite"
                lost |= sa.and_(over, table.c.created_at < moment - _LONGEST) if elsewhere else over
            if gone or unknown:
                count += tx.execute(table.update().where(running, lost).values(error=_REASON, **ended)).rowcount
    if count:
        log.warning("settled %d unfinished runs and messages", count)
    return count
