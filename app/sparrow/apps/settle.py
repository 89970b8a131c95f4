"""What is put right when the API starts: runs and messages that a lost process left unfinished."""

from __future__ import annotations

import logging

from sparrow import clock
from sparrow.apps import record
from sparrow.storage import db
from sparrow.storage.tables.runs import workflow_runs

log = logging.getLogger(__name__)

_REASON = "The process that ran this was interrupted."


def settle() -> int:
    """Mark as failed what claims to be running though nobody works on it; return how many rows changed.

    Called once by the process that serves the API, before it answers the first request.
    """
    with db.write() as tx:
        count = record.settle(tx)
        count += tx.execute(workflow_runs.update().where(workflow_runs.c.status == "running").values(
            status="failed", error=_REASON, finished_at=clock.now())).rowcount
    if count:
        log.warning("settled %d unfinished runs and messages", count)
    return count
