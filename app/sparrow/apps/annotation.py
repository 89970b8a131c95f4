"""Annotations: questions with fixed answers, which are given without asking the model."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps import app as apps
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables.apps import annotations
from sparrow.storage.tables.apps import apps as table


@dataclass(slots=True)
class Match:
    """An annotation that answers a query; `shown` is what clients get as `annotation_reply`."""

    answer: str
    shown: dict[str, Any]


def create(app_id: str, question: str, answer: str, *, message_id: str | None = None) -> Row:
    """Store an annotation; return it."""
    _check(question, answer)
    return _store(app_id, [(question, answer)], message_id)[0]


def create_many(app_id: str, pairs: list[tuple[str, str]]) -> None:
    """Store annotations, all or none."""
    for question, answer in pairs:
        _check(question, answer)
    _store(app_id, pairs)


def _store(app_id: str, pairs: list[tuple[str, str]], message_id: str | None = None) -> list[Row]:
    moment, settings = clock.now(), apps.get(app_id).annotation_reply or {}
    questions = [question for question, _ in pairs]
    vectors = _embed(settings, questions) if settings.get("enabled") else [None] * len(pairs)
    made = [{"id": ids.new_id(), "app_id": app_id, "message_id": message_id, "question": question, "answer": answer,
             "vector": vector, "hit_count": 0, "created_at": moment, "updated_at": moment}
            for (question, answer), vector in zip(pairs, vectors, strict=True)]
    with db.write() as tx:
        tx.execute(annotations.insert(), made)
        return [_get(tx, app_id, row["id"]) for row in made[:1]]


def find(app_id: str, *, keyword: str = "", offset: int = 0, limit: int = 20) -> tuple[list[Row], int]:
    """Return a page of annotations, newest first, and how many there are."""
    where = [annotations.c.app_id == app_id]
    if keyword:
        where.append(sa.or_(annotations.c.question.icontains(keyword, autoescape=True),
                            annotations.c.answer.icontains(keyword, autoescape=True)))
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(annotations).where(*where)).scalar_one()
        rows = tx.execute(sa.select(annotations).where(*where)
                          .order_by(annotations.c.created_at.desc(), annotations.c.id)
                          .offset(offset).limit(limit)).all()
    return rows, total


def change(app_id: str, annotation_id: str, question: str, answer: str) -> Row:
    """Replace question and answer; return the annotation."""
    _check(question, answer)
    settings = apps.get(app_id).annotation_reply or {}
    vector = _embed(settings, [question])[0] if settings.get("enabled") else None
    with db.write() as tx:
        _get(tx, app_id, annotation_id)
        tx.execute(annotations.update().where(annotations.c.id == annotation_id).values(
            question=question, answer=answer, vector=vector, updated_at=clock.now()))
        return _get(tx, app_id, annotation_id)


def delete(app_id: str, annotation_id: str) -> None:
    """Delete an annotation."""
    with db.write() as tx:
        _get(tx, app_id, annotation_id)
        tx.execute(annotations.delete().where(annotations.c.id == annotation_id))


def enable(app_id: str, *, provider: str, model: str, score_threshold: float) -> None:
    """Switch annotation reply on: remember the embedding model and index the questions with it."""
    if not 0 <= score_threshold <= 1:
        raise BadRequest("score_threshold: must be between 0 and 1", params="score_threshold")
    settings = {"enabled": True, "score_threshold": score_threshold,
                "embedding_model": {"embedding_provider_name": provider, "embedding_model_name": model}}
    with db.read() as tx:
        rows = tx.execute(sa.select(annotations.c.id, annotations.c.question)
                          .where(annotations.c.app_id == app_id)).all()
    vectors = _embed(settings, [row.question for row in rows])
    with db.write() as tx:
        for row, vector in zip(rows, vectors, strict=True):
            tx.execute(annotations.update().where(annotations.c.id == row.id).values(vector=vector))
        tx.execute(table.update().where(table.c.id == app_id).values(annotation_reply=settings))


def disable(app_id: str) -> None:
    """Switch annotation reply off; its settings stay for the next time."""
    settings = {**(apps.get(app_id).annotation_reply or {}), "enabled": False}
    with db.write() as tx:
        tx.execute(table.update().where(table.c.id == app_id).values(annotation_reply=settings))


def reply(app_id: str) -> dict[str, Any]:
    """Return how an app's annotations are matched: whether at all, from which score on, by which model."""
    stored = apps.get(app_id).annotation_reply or {}
    model = stored.get("embedding_model") or {}
    return {"enabled": bool(stored.get("enabled")), "score_threshold": float(stored.get("score_threshold", 0.9)),
            "embedding_provider_name": model.get("embedding_provider_name") or "",
            "embedding_model_name": model.get("embedding_model_name") or ""}


def match(app: Row, query: str, source: str) -> Match | None:
    """Return the annotation that means the same as a query, above the app's threshold; count the hit."""
    settings = app.annotation_reply or {}
    if not settings.get("enabled"):
        return None
    with db.read() as tx:
        rows = tx.execute(sa.select(annotations.c.id, annotations.c.vector)
                          .where(annotations.c.app_id == app.id, annotations.c.vector.is_not(None))).all()
    if not rows:
        return None
    import numpy

    wanted = _numbers(_embed(settings, [query])[0])
    table_of = numpy.stack([_numbers(row.vector) for row in rows if len(row.vector) == len(rows[0].vector)])
    if table_of.shape[1] != wanted.shape[0]:
        return None
    scores = table_of @ wanted
    best = int(scores.argmax())
    if scores[best] < float(settings.get("score_threshold", 1)):
        return None
    with db.write() as tx:
        tx.execute(annotations.update().where(annotations.c.id == rows[best].id)
                   .values(hit_count=annotations.c.hit_count + 1))
        found = _get(tx, app.id, rows[best].id)
    return Match(found.answer, {"id": found.id, "account": {"id": "", "name": "Sparrow"}})


def _get(tx, app_id: str, annotation_id: str) -> Row:
    row = tx.execute(sa.select(annotations).where(annotations.c.id == annotation_id)).first()
    if row is None or row.app_id != app_id:
        raise NotFound("Annotation not found")
    return row


def _check(question: str, answer: str) -> None:
    if not question.strip() or not answer.strip():
        raise BadRequest("question and answer must not be empty")


def _embed(settings: dict[str, Any], texts: list[str]) -> list[str]:
    """Return unit vectors as base64 of float32."""
    if not texts:
        return []
    import numpy

    from sparrow.apps import surroundings

    named = settings.get("embedding_model") or {}
    vectors = surroundings.embed(named.get("embedding_provider_name") or "", named.get("embedding_model_name") or "",
                                 texts)
    array = numpy.asarray(vectors, dtype=numpy.float32)
    array /= numpy.maximum(numpy.linalg.norm(array, axis=1, keepdims=True), 1e-9)
    return [base64.b64encode(vector.tobytes()).decode() for vector in array]


def _numbers(stored: str):
    import numpy

    return numpy.frombuffer(base64.b64decode(stored), dtype=numpy.float32)
