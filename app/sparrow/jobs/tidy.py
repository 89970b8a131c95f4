"""What nobody asks for any more: old rows of jobs, bytes that a power cut left without a row, broken-off uploads,
pages of web sites that nobody chose, images that were uploaded for a passage and never bound to one, and what is left
in the database's file of passages that were changed or deleted one by one."""

from __future__ import annotations

from typing import Any

from sparrow import clock, settings
from sparrow.knowledge import attachments, crawl, units
from sparrow.storage import db, files, uploads
from sparrow.storage.tables.jobs import jobs

KIND = "tidy"
EVERY = 86_400.0  # seconds
KEPT = 30 * 86_400  # seconds a finished job can be asked about


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Tidy up; a job of the worker."""
    with db.write() as tx:
        tx.execute(jobs.delete().where(jobs.c.finished_at < clock.now() - KEPT))
    files.sweep()
    uploads.sweep()
    if settings.get().rag:
        crawl.sweep()
        attachments.sweep()
        units.checkpoint()  # too dear on a large base for each click; deleting a document does it at once
