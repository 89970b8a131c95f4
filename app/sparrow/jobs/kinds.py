"""Which function does which kind of job. Each takes the job's payload and a JobContext."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.engine import Connection

from sparrow.storage import queue


@dataclass(slots=True)
class JobContext:
    """What a running job may ask and tell."""

    job_id: str
    again: bool = False  # its process died before

    def cancelled(self) -> bool:
        """Tell whether somebody cancelled this job; ask between steps."""
        return queue.is_cancelled(self.job_id)

    def progressed(self, tx: Connection) -> None:
        """Tell, with a part of the result that is stored for good, that the job is not why its process died before."""
        if self.again:
            queue.forget_attempts(tx, self.job_id)
            self.again = False


# kind: (module, function, seconds it may take); imported at first use, in the child process that runs the job.
KINDS: dict[str, tuple[str, str, int]] = {
    "run_schedule": ("sparrow.apps.schedule", "run_schedule", 1800),
    "expire_forms": ("sparrow.apps.schedule", "expire_forms", 1800),
    "index_document": ("sparrow.knowledge.indexing", "run_job", 6 * 3600),
    "write_summaries": ("sparrow.knowledge.summaries", "run_job", 6 * 3600),
    "sync_dataset": ("sparrow.knowledge.syncing", "run_job", 3600),
    "check_knowledge": ("sparrow.knowledge.documents", "check_job", 3600),
    "reindex_dataset": ("sparrow.knowledge.reindex", "run_job", 6 * 3600),
    "take_dropped": ("sparrow.knowledge.sources", "take_dropped", 6 * 3600),
    "tidy": ("sparrow.jobs.tidy", "run_job", 3600),
    "crawl_site": ("sparrow.jobs.crawl", "run_job", 6 * 3600),
    "import_dataset": ("sparrow.knowledge.transfer", "run_job", 6 * 3600),
}
# kind: (module, function of the payload) that says where it is looked for that a job of this kind was given up, because
# its process died again and again.
GIVEN_UP: dict[str, tuple[str, str]] = {"index_document": ("sparrow.knowledge.indexing", "given_up"),
                                        "crawl_site": ("sparrow.knowledge.crawl", "given_up"),
                                        "write_summaries": ("sparrow.knowledge.summaries", "given_up")}
# Kinds of which one process runs several: many files are added at once, and each takes a moment.
IN_TURN = frozenset(("index_document",))
# Kinds that a stop of the worker waits for: what a workflow has done outside cannot be done again. All others go on, or
# begin again, with the next worker.
WAITED_FOR = frozenset(("run_schedule", "expire_forms"))


def load(kind: str) -> Callable[[dict[str, Any], JobContext], None]:
    """Return the function of a kind; raise KeyError for one this version does not know."""
    module, name, _ = KINDS[kind]
    return getattr(import_module(module), name)
