"""Annotations: questions with fixed answers."""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import Annotated, Any

import msgspec

from sparrow import ids
from sparrow.api.service import service, shapes
from sparrow.api.service.who import app
from sparrow.api.web import Page
from sparrow.apps import annotation, filebox
from sparrow.errors import BadRequest, NotFound

TAG = "annotations"
Text = Annotated[str, msgspec.Meta(min_length=1)]


class AnnotationCreatePayload(msgspec.Struct):
    """A question and its answer."""

    question: Text
    answer: Text


class AnnotationListQuery(Page, kw_only=True):
    """Which annotations."""

    keyword: str = ""


class AnnotationReplyActionPayload(msgspec.Struct):
    """How questions are matched."""

    score_threshold: float
    embedding_provider_name: str
    embedding_model_name: str


@service.get("/apps/annotations", tag=TAG)
def list_annotations(query: AnnotationListQuery) -> shapes.Annotations:
    """List annotations."""
    rows, total = annotation.find(app().id, keyword=query.keyword, offset=query.offset(), limit=query.limit)
    return {"data": [shown(row) for row in rows], "has_more": query.page * query.limit < total, "limit": query.limit,
            "total": total, "page": query.page}


@service.post("/apps/annotations", status=201, tag=TAG)
def create_annotation(body: AnnotationCreatePayload) -> shapes.Annotation:
    """Give a question a fixed answer."""
    return shown(annotation.create(app().id, body.question, body.answer))


@service.put("/apps/annotations/<annotation_id>", tag=TAG)
def change_annotation(annotation_id: str, body: AnnotationCreatePayload) -> shapes.Annotation:
    """Change an annotation."""
    return shown(annotation.change(app().id, annotation_id, body.question, body.answer))


@service.delete("/apps/annotations/<annotation_id>", status=204, tag=TAG)
def delete_annotation(annotation_id: str) -> None:
    """Delete an annotation."""
    annotation.delete(app().id, annotation_id)


@service.post("/apps/annotation-reply/<action>", tag=TAG)
def switch(action: str, body: AnnotationReplyActionPayload) -> shapes.Job:
    """Switch annotation replies on or off. It is done when this returns; the job id is for clients that ask."""
    if action == "enable":
        annotation.enable(app().id, provider=body.embedding_provider_name, model=body.embedding_model_name,
                          score_threshold=body.score_threshold)
    elif action == "disable":
        annotation.disable(app().id)
    else:
        raise NotFound("The requested URL was not found on the server.")
    return {"job_id": _job_id(action, os.urandom(6).hex()), "job_status": "waiting"}


@service.get("/apps/annotation-reply/<action>/status/<job_id>", tag=TAG)
def job(action: str, job_id: str) -> shapes.JobStatus:
    """Tell how a switch went: those that failed were refused at once."""
    if not ids.is_uuid(job_id) or _job_id(action, uuid.UUID(job_id).hex[:12]) != str(uuid.UUID(job_id)):
        raise BadRequest("The job does not exist.")
    return {"job_id": job_id, "job_status": "completed", "error_msg": ""}


def _job_id(action: str, start: str) -> str:
    """Return the id of a switch: behind its start stands the box's mark, which tells it from ids nobody gave."""
    mark = filebox.signature(f"annotation-reply|{app().id}|{action}|{start}")
    return str(uuid.UUID(hex=start + hashlib.sha256(mark.encode()).hexdigest()[:20], version=4))


def shown(row) -> dict[str, Any]:
    """Return an annotation as clients see it."""
    return {"id": row.id, "question": row.question, "answer": row.answer, "hit_count": row.hit_count,
            "created_at": int(row.created_at)}
