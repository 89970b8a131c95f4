"""What is put right when the API starts: runs and messages that a lost process left unfinished."""

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


def settle() -> int:
    """Mark as failed what claims to be running though its process is gone; return how many rows changed."""
    moment, count = clock.now(), 0
    with db.write() as tx:
        for table, ended in ((messages, {"status": "error", "updated_at": moment}),
                             (workflow_runs, {"status": "failed", "finished_at": moment})):
            running = table.c.status == "running"
            owners = tx.execute(sa.select(table.c.owner).where(running).distinct()).scalars().all()
            gone = [owner for owner in owners if not live.is_alive(owner)]
            if gone:
                count += tx.execute(table.update().where(running, table.c.owner.in_(gone))
                                    .values(error=_REASON, **ended)).rowcount
    if count:
        log.warning("settled %d unfinished runs and messages", count)
    return count
