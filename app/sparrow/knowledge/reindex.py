"""Re-index a base with another embedding model while the old index serves.

The new vectors are made beside the old ones (they are stored by model); when all are there, one transaction
switches the base over and begins a new epoch, so that every index is made anew from them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from sparrow import clock
from sparrow.storage import db, queue
from sparrow.storage.tables import knowledge as t
from sparrow.storage.tables.jobs import jobs

from . import chroma, chunk, units, vectors
from .embed import Embedder, EmbedderError, embedder

_BATCH = 100


def submit(dataset_id: str) -> None:
    """Queue the re-index of a base."""
    queue.submit("reindex_dataset", {"dataset_id": dataset_id}, key=f"reindex:{dataset_id}")


def run_job(payload: dict[str, Any], context: Any) -> None:
    """Re-index the base a job names."""
    run(payload["dataset_id"], cancelled=context.cancelled)


def run(dataset_id: str, *, cancelled=lambda: False) -> None:
    """Embed what lacks a vector of the next model, then switch; a run after a crash goes on where it was."""
    with db.read() as tx:
        base = tx.execute(t.datasets.select().where(t.datasets.c.id == dataset_id)).mappings().first()
    if base is None or not base["next_embedding_model"]:
        return
    model = embedder(base["next_embedding_provider"], base["next_embedding_model"])
    dimension = len(model.encode(["dimension"])[0])
    while True:
        _embed(dataset_id, model, dimension, cancelled)
        if cancelled():
            return
        if _switch(base, model, dimension):
            break
    vectors.drop(dataset_id)
    with suppress(chroma.Down):
        chroma.drop(chroma.collection_name(dataset_id, base["index_epoch"]))
        chroma.sync(dataset_id)


def _embed(dataset_id: str, model: Embedder, dimension: int, cancelled: Callable[[], bool]) -> None:
    """Make the vectors that lack, batch by batch."""
    while not cancelled():
        with db.read() as tx:
            wanted = _lacking(tx, dataset_id, model.key)
        if not wanted:
            return
        names = list(wanted)
        array = model.encode_patiently([wanted[name] for name in names], time.sleep)
        if array.shape[1] != dimension:
            raise EmbedderError(f"The embedding model {model.model} returned vectors of {array.shape[1]} numbers after "
                                f"vectors of {dimension}. The old index goes on serving.", code="embedding_dimension")
        with db.write() as tx:
            units.store_vectors(tx, model.key, {
                name: row.astype("<f4").tobytes() for name, row in zip(names, array, strict=True)})


def _switch(base: Any, model: Embedder, dimension: int) -> bool:
    """Let the new vectors serve; False if a document that is being indexed has added some that lack."""
    dataset_id = base["id"]
    with db.write() as tx:
        if _lacking(tx, dataset_id, model.key):
            return False
        tx.execute(t.datasets.update().where(t.datasets.c.id == dataset_id).values(
            embedding_model=model.model, embedding_model_provider=model.provider, embedding_dimension=dimension,
            next_embedding_model=None, next_embedding_provider=None, indexing_technique="high_quality",
            index_epoch=base["index_epoch"] + 1, updated_at=clock.now()))
        # An economical base had no vectors: now its passages get them.
        children = sa.select(t.child_chunks.c.segment_id).where(t.child_chunks.c.dataset_id == dataset_id)
        tx.execute(t.units.update().where(
            t.units.c.dataset_id == dataset_id, t.units.c.uses == "k",
            t.units.c.segment_id.not_in(children)).values(uses="vk"))
        tx.execute(t.units.update().where(t.units.c.dataset_id == dataset_id, t.units.c.uses.like("v%"))
                   .values(synced=False))
        tx.execute(t.vector_removals.delete().where(t.vector_removals.c.dataset_id == dataset_id))
    return True


def _lacking(tx: Any, dataset_id: str, key: str) -> dict[str, str]:
    """Return {hash: text} of the next units without a vector of a model."""
    u, s, c = t.units.c, t.segments.c, t.child_chunks.c
    rows = tx.execute(
        sa.select(u.hash, s.heading, sa.case((u.summary.is_(True), s.summary), else_=s.content), c.content)
        .join(t.segments, s.id == u.segment_id).outerjoin(t.child_chunks, c.id == u.child_id)
        .outerjoin(t.embeddings, sa.and_(t.embeddings.c.hash == u.hash, t.embeddings.c.model == key))
        .where(u.dataset_id == dataset_id, t.embeddings.c.hash.is_(None)).order_by(u.serial)
        .limit(_BATCH)).all()
    return {name: chunk.context((heading or [])[-1:], child) if child is not None
            else chunk.context(heading or [], content) for name, heading, content, child in rows}


def state(dataset_id: str) -> dict[str, Any] | None:
    """Return how far a base's re-index is: {model, provider, done, total, state, error}; None when none is wanted.

    `state` is queued, running, failed or cancelled; done and total count the texts to embed.
    """
    from . import datasets

    base = datasets.get(dataset_id)
    if not base["next_embedding_model"]:
        return None
    key = embedder(base["next_embedding_provider"], base["next_embedding_model"]).key
    u = t.units.c
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count(sa.distinct(u.hash))).where(
            u.dataset_id == dataset_id)).scalar() or 0
        done = tx.execute(sa.select(sa.func.count(sa.distinct(u.hash))).select_from(t.units).join(
            t.embeddings, sa.and_(t.embeddings.c.hash == u.hash, t.embeddings.c.model == key)).where(
            u.dataset_id == dataset_id)).scalar() or 0
        job = tx.execute(sa.select(jobs.c.state, jobs.c.error).where(jobs.c.key == f"reindex:{dataset_id}")
                         .order_by(jobs.c.created_at.desc()).limit(1)).first()
    return {"model": base["next_embedding_model"], "provider": base["next_embedding_provider"], "done": done,
            "total": total, "state": job.state if job else "queued", "error": job.error if job else None}


def stop(dataset_id: str) -> None:
    """Give a re-index up: the old index goes on serving. Vectors made so far stay, for another try."""
    queue.cancel(f"reindex:{dataset_id}")
    with db.write() as tx:
        tx.execute(t.datasets.update().where(t.datasets.c.id == dataset_id).values(
            next_embedding_model=None, next_embedding_provider=None, updated_at=clock.now()))
