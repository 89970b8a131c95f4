"""What was asked and what was found, written a little later: a question does not wait for a disk."""

from __future__ import annotations

import logging
import threading
from collections import Counter

import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.storage import db, queue
from sparrow.storage.tables import knowledge as t

log = logging.getLogger(__name__)

DELAY = 1.0  # seconds
_HIT = t.segments.update().where(t.segments.c.id == sa.bindparam("segment")).values(
    hit_count=t.segments.c.hit_count + sa.bindparam("more"))
_MAX = 500
_lock = threading.Lock()
_questions: list[dict] = []
_hits: Counter[str] = Counter()
_timer: threading.Timer | None = None
_healed: dict[str, float] = {}


def note(query: str, dataset_ids: list[str], segment_ids: list[str], source: str, app_id: str | None) -> None:
    """Remember a question and its hits; they reach the database within about a second."""
    global _timer
    now = clock.now()
    with _lock:
        _hits.update(segment_ids)
        if len(_questions) < _MAX:
            _questions.extend({"id": ids.new_id(), "dataset_id": dataset_id, "content": query[:2000],
                               "source": source, "app_id": app_id, "created_at": now}
                              for dataset_id in dataset_ids)
        if _timer is None:
            _timer = threading.Timer(DELAY, flush)
            _timer.daemon = True
            _timer.start()


def flush() -> None:
    """Write what is remembered now."""
    global _timer
    with _lock:
        questions, hits = list(_questions), dict(_hits)
        _questions.clear()
        _hits.clear()
        _timer = None
    if not questions and not hits:
        return
    try:
        with db.write() as tx:
            if questions:
                tx.execute(t.dataset_queries.insert(), questions)
            if hits:
                tx.execute(_HIT, [{"segment": segment_id, "more": count} for segment_id, count in hits.items()])
    except Exception as error:  # statistics never break an answer
        log.warning("usage of knowledge was not recorded: %s", error)


def heal(dataset_id: str) -> None:
    """Queue the rebuilding of a base's Chroma collection, at most once a minute."""
    if _due(dataset_id):
        queue.submit("sync_dataset", {"dataset_id": dataset_id}, key=f"sync:{dataset_id}")


def heal_words() -> None:
    """Queue a check of the keyword index, at most once a minute."""
    if _due(""):
        queue.submit("check_knowledge", {"damaged": True}, key="check_knowledge")


def _due(what: str) -> bool:
    now = clock.monotonic()
    with _lock:
        if now - _healed.get(what, -1e9) < 60:
            return False
        _healed[what] = now
    return True
