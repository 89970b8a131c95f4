"""A document's text as it is read from beginning to end: what a citation opens, at its passage."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import attachments

PIECES = 40
_OVERLAP = 2000  # characters: more than any two passages share


def pieces(document_id: str, *, start: int | None = None, around: int | None = None, limit: int = PIECES
           ) -> dict[str, Any]:
    """Return passages in order as one running text: {pieces, start, total}.

    Counted from 0: `start` is the first passage's place in the document, or the page that holds the passage at
    position `around` is returned. What a passage repeats of the one before it (the overlap of the cut) is left out
    of its `text`. Its `images` are those that are bound to it: the others stand in the text.
    """
    s = t.segments.c
    mine = s.document_id == document_id
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(mine)).scalar() or 0
        if start is None:
            before = tx.execute(sa.select(sa.func.count()).select_from(t.segments).where(
                mine, s.position < (around or 0))).scalar() or 0
            start = max(0, min(before - limit // 2, total - limit))
        # One passage more, so that the first piece too can be freed of what it repeats.
        rows = tx.execute(t.segments.select().where(mine).order_by(s.position)
                          .offset(max(0, start - 1)).limit(limit + (1 if start else 0))).mappings().all()
    previous = rows[0]["content"] if start and rows else ""
    images = attachments.images({row["id"]: row["attachments"] or [] for row in rows})
    found = []
    for row in rows[1:] if start else rows:
        found.append({
            "segment_id": row["id"], "position": row["position"], "text": row["content"][_shared(
                previous, row["content"]):], "content": row["content"], "answer": row["answer"], "kind": row["kind"],
            "heading": row["heading"] or [], "place_kind": row["place_kind"], "place": row["place"],
            "images": [{"id": image.id, "name": image.name} for image in images[row["id"]]]})
        previous = row["content"]
    return {"pieces": found, "start": start, "total": total}


def _shared(before: str, text: str) -> int:
    """Return how many characters at the beginning of a text stand at the end of the one before it."""
    most = min(len(before), len(text) - 1, _OVERLAP)
    tail = before[-most:] if most > 0 else ""
    at = tail.find(text[:8]) if most >= 8 else -1
    while at >= 0:
        if text.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(text[:8], at + 1)
    return 0
