"""What a knowledge base holds, how much room it takes, and how it is used."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sparrow import clock
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.files import files

from . import capacity, datasets

RECENT = 30 * 86400  # seconds
TOP = 5


def of(dataset_id: str) -> dict[str, Any]:
    """Return a base's counts, sizes in bytes and most found documents; raise NotFound.

    `bytes_files`: originals and pictures on disk; `bytes_text`, `bytes_vectors`: rows in the database;
    `bytes_memory`: what its vectors take of the index's memory.
    """
    row = datasets.get(dataset_id)
    d, s, u, q = t.documents.c, t.segments.c, t.units.c, t.dataset_queries.c
    with db.read() as tx:
        def number(what, *where) -> int:
            return int(tx.execute(sa.select(what).where(*where)).scalar() or 0)

        vectors = number(sa.func.count(), u.dataset_id == dataset_id, u.uses.like("v%"))
        stored = number(sa.func.count(sa.distinct(u.hash)), u.dataset_id == dataset_id, u.uses.like("v%"))
        held = datasets.files_of(tx, d.dataset_id == dataset_id)
        out = {
            "tokens": number(sa.func.sum(d.tokens), d.dataset_id == dataset_id), "vectors": vectors,
            "vectors_waiting": number(sa.func.count(), u.dataset_id == dataset_id, u.synced.is_(False)),
            "queries_30_days": number(sa.func.count(), q.dataset_id == dataset_id,
                                      q.created_at > clock.now() - RECENT),
            "hits": number(sa.func.sum(s.hit_count), s.dataset_id == dataset_id),
            "failed": number(sa.func.count(), d.dataset_id == dataset_id, d.indexing_status == "error"),
            "summaries": number(sa.func.count(s.summary), s.dataset_id == dataset_id),
            "bytes_text": number(sa.func.sum(
                sa.func.octet_length(s.content) + sa.func.coalesce(sa.func.octet_length(s.summary), 0)),
                s.dataset_id == dataset_id),
            "bytes_files": sum(number(sa.func.sum(files.c.size), files.c.id.in_(held[at:at + 500]))
                               for at in range(0, len(held), 500))}
        found = sa.func.sum(s.hit_count)
        out["most_found"] = [{"id": document_id, "name": name, "hits": int(hits)} for document_id, name, hits in
                             tx.execute(sa.select(d.id, d.name, found).join(t.segments, s.document_id == d.id)
                                        .where(d.dataset_id == dataset_id).group_by(d.id, d.name).having(found > 0)
                                        .order_by(found.desc(), d.name).limit(TOP))]
    dimension = row["embedding_dimension"] or 0
    counted = datasets.facts([row])[dataset_id]
    return {**out, "documents": counted["document_count"], "available_documents": counted["available"],
            "segments": counted["segment_count"], "words": counted["word_count"], "apps": counted["app_count"],
            "bytes_vectors": stored * dimension * 4,
            "bytes_memory": capacity.bytes_for(vectors, dimension) - capacity.BASE_BYTES}


def queries(dataset_id: str, *, page: int = 1, limit: int = 20) -> tuple[list[dict[str, Any]], int]:
    """Return recent questions asked of a base, newest first, and their number."""
    q = t.dataset_queries
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(q).where(q.c.dataset_id == dataset_id)).scalar() or 0
        rows = tx.execute(q.select().where(q.c.dataset_id == dataset_id).order_by(q.c.created_at.desc())
                          .limit(limit).offset((page - 1) * limit)).mappings().all()
    return [dict(row) for row in rows], total
