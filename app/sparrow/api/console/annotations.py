"""Annotations: questions that an app answers itself, in these words."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import msgspec
from flask import Response, request

from sparrow.api.console import console
from sparrow.api.web import OK, Page, Result
from sparrow.apps import annotation, annotation_csv
from sparrow.apps import app as apps
from sparrow.errors import BadRequest

TAG = "annotations"
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Annotation(msgspec.Struct):
    """A question and its fixed answer."""

    question: Text
    answer: Text
    message_id: str | None = None


class KeywordPage(Page, kw_only=True):
    """A page of what contains a word."""

    keyword: str = ""


class AnnotationReply(msgspec.Struct):
    """How annotations are matched."""

    embedding_provider_name: str = ""
    embedding_model_name: str = ""
    score_threshold: float = 0.9


class AnnotationShown(msgspec.Struct):
    """A question and its fixed answer, and how often it was given."""

    id: str
    question: str
    answer: str
    hit_count: int
    created_at: int


class Annotations(msgspec.Struct):
    """A page of annotations."""

    data: list[AnnotationShown]
    has_more: bool
    limit: int
    page: int
    total: int


class AnnotationSettings(AnnotationReply, kw_only=True):
    """How annotations are matched, and whether they are."""

    enabled: bool


@console.get("/apps/<app_id>/annotations", tag=TAG)
def list_annotations(app_id: str, query: KeywordPage) -> Annotations:
    """List an app's annotations."""
    apps.get(app_id)
    rows, total = annotation.find(app_id, keyword=query.keyword, offset=query.offset(), limit=query.limit)
    return Annotations([annotation_shown(row) for row in rows], query.offset() + len(rows) < total, query.limit,
                       query.page, total)


@console.post("/apps/<app_id>/annotations", status=201, tag=TAG)
def create_annotation(app_id: str, body: Annotation) -> AnnotationShown:
    """Give a question a fixed answer."""
    return annotation_shown(annotation.create(app_id, body.question, body.answer, message_id=body.message_id))


@console.post("/apps/<app_id>/annotations/<annotation_id>", tag=TAG)
def change_annotation(app_id: str, annotation_id: str, body: Annotation) -> AnnotationShown:
    """Change an annotation."""
    return annotation_shown(annotation.change(app_id, annotation_id, body.question, body.answer))


@console.delete("/apps/<app_id>/annotations/<annotation_id>", status=204, tag=TAG)
def delete_annotation(app_id: str, annotation_id: str) -> None:
    """Delete an annotation."""
    annotation.delete(app_id, annotation_id)


@console.get("/apps/<app_id>/annotations/export", tag=TAG)
def export_annotations(app_id: str) -> Response:
    """Download an app's annotations as CSV."""
    name = quote(f"{apps.get(app_id).name}.csv")
    return Response(annotation_csv.export(app_id), mimetype="text/csv", headers={
        "Content-Disposition": f"attachment; filename=annotations.csv; filename*=UTF-8''{name}"})


@console.post("/apps/<app_id>/annotations/import", files=("file",), tag=TAG)
def import_annotations(app_id: str) -> dict[str, int]:
    """Add the rows of a CSV file (question, answer) to an app's annotations."""
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    apps.get(app_id)
    return {"added": annotation_csv.add(app_id, part.stream.read(annotation_csv.MAX_BYTES + 1))}


@console.get("/apps/<app_id>/annotation-reply", tag=TAG)
def get_annotation_reply(app_id: str) -> AnnotationSettings:
    """Tell how an app's annotations are matched."""
    return msgspec.convert(annotation.reply(app_id), AnnotationSettings)


@console.post("/apps/<app_id>/annotation-reply/enable", tag=TAG)
def enable_annotations(app_id: str, body: AnnotationReply) -> Result:
    """Answer questions that match an annotation with it."""
    apps.get(app_id)
    annotation.enable(app_id, provider=body.embedding_provider_name, model=body.embedding_model_name,
                      score_threshold=body.score_threshold)
    return OK


@console.post("/apps/<app_id>/annotation-reply/disable", tag=TAG)
def disable_annotations(app_id: str) -> Result:
    """Always ask the model."""
    apps.get(app_id)
    annotation.disable(app_id)
    return OK


def annotation_shown(row) -> AnnotationShown:
    """Return an annotation as clients see it."""
    return AnnotationShown(row.id, row.question, row.answer, row.hit_count, int(row.created_at))
