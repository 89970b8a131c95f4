"""Passages of documents in the console."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import request

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.console.datasets import Keyword
from sparrow.api.console.files import File
from sparrow.api.web import OK, Result
from sparrow.errors import BadRequest
from sparrow.knowledge import attachments, datasets, documents, reading, segments


class Segments(msgspec.Struct):
    """A page of passages."""

    data: list[shapes.Segment]
    has_more: bool
    limit: int
    page: int
    total: int


class NewSegments(msgspec.Struct):
    """Passages to add by hand."""

    segments: list[segments.NewSegment]


class SegmentChange(msgspec.Struct, kw_only=True):
    """What of a passage may be changed; null takes its summary away."""

    content: str | None = None
    answer: str | None = None
    keywords: list[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool | None = None
    attachment_ids: list[str] | None = None
    summary: str | msgspec.UnsetType | None = msgspec.UNSET


class ChosenSegments(msgspec.Struct):
    """Several passages of a document."""

    segment_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]


class ChildText(msgspec.Struct):
    """The text of a child chunk."""

    content: str


class Reading(msgspec.Struct, kw_only=True):
    """Where to read: around a passage (its id), or from the passage numbered `start` (from 0)."""

    segment: str = ""
    start: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None


class Around(msgspec.Struct):
    """A passage, its place in the list of passages (from 0), the ones beside it, and its document: what a citation
    opens."""

    segment: shapes.Segment
    index: int
    before: list[shapes.Segment]
    after: list[shapes.Segment]
    document: shapes.Document
    dataset: dict[str, str]


@console.get("/datasets/<dataset_id>/documents/<document_id>/segments")
def list_segments(dataset_id: str, document_id: str, query: Keyword) -> Segments:
    """List a document's passages in order."""
    documents.get(dataset_id, document_id)
    rows, total = segments.search(document_id, page=query.page, limit=query.limit, keyword_=query.keyword)
    children = segments.children_of([row["id"] for row in rows])
    return Segments(shapes.segment_list(rows, children), query.offset() + len(rows) < total, query.limit, query.page,
                    total)


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments")
def add_segments(dataset_id: str, document_id: str, body: NewSegments) -> list[shapes.Segment]:
    """Add passages to a document by hand."""
    rows = segments.add(datasets.get(dataset_id), documents.get(dataset_id, document_id), body.segments)
    return shapes.segment_list(rows)


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments/import", files=("file",))
def import_segments(dataset_id: str, document_id: str) -> dict[str, int]:
    """Add the rows of a CSV file (content, answer, keywords) to a document."""
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    dataset, document = datasets.get(dataset_id), documents.get(dataset_id, document_id)
    return {"added": segments.add_csv(dataset, document, part.stream.read(segments.MAX_CSV + 1))}


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments/status/<action>")
def set_segments_status(dataset_id: str, document_id: str, action: str, body: ChosenSegments) -> Result:
    """Enable or disable passages."""
    if action not in ("enable", "disable"):
        raise BadRequest(f"Invalid action: {action}.", code="invalid_action")
    segments.enable(documents.get(dataset_id, document_id), body.segment_ids, action == "enable")
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments/delete")
def delete_segments(dataset_id: str, document_id: str, body: ChosenSegments) -> Result:
    """Delete several passages."""
    segments.delete(dataset_id, document_id, body.segment_ids)
    return OK


@console.post("/datasets/attachments", status=201, files=("file",))
def upload_image() -> File:
    """Upload an image for a passage or a question; what is not used within a day is deleted."""
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    row = attachments.take(part.stream, part.filename or "image", part.mimetype or None)
    return File(row["id"], row["name"], row["size"], row["extension"], row["mime_type"], int(row["created_at"]))


@console.patch("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>")
def change_segment(dataset_id: str, document_id: str, segment_id: str, body: SegmentChange) -> shapes.Segment:
    """Change a passage, or switch it off."""
    row = segments.update(
        datasets.get(dataset_id), documents.get(dataset_id, document_id),
        segments.get(dataset_id, segment_id, document_id), content=body.content, answer=body.answer,
        keywords=body.keywords, enabled=body.enabled, regenerate=body.regenerate_child_chunks,
        attachment_ids=body.attachment_ids, summary=body.summary)
    return shapes.segment(row, segments.children_of([segment_id])[segment_id])


@console.delete("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>")
def delete_segment(dataset_id: str, document_id: str, segment_id: str) -> Result:
    """Delete a passage."""
    _editable(dataset_id, document_id, segment_id)
    segments.delete(dataset_id, document_id, [segment_id])
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>/child_chunks")
def add_child(dataset_id: str, document_id: str, segment_id: str, body: ChildText) -> shapes.Child:
    """Add a child chunk to a passage."""
    row = _editable(dataset_id, document_id, segment_id)
    return shapes.child(segments.add_child(datasets.get(dataset_id), row, body.content))


@console.patch("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>/child_chunks/<child_id>")
def change_child(dataset_id: str, document_id: str, segment_id: str, child_id: str, body: ChildText) -> shapes.Child:
    """Change the text of a child chunk."""
    row = _editable(dataset_id, document_id, segment_id)
    child = segments.child(segment_id, child_id)
    return shapes.child(segments.update_child(datasets.get(dataset_id), row, child, body.content))


@console.delete("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>/child_chunks/<child_id>")
def delete_child(dataset_id: str, document_id: str, segment_id: str, child_id: str) -> Result:
    """Delete a child chunk."""
    _editable(dataset_id, document_id, segment_id)
    segments.delete_child(dataset_id, segments.child(segment_id, child_id)["id"])
    return OK


@console.get("/datasets/<dataset_id>/documents/<document_id>/text")
def read_text(dataset_id: str, document_id: str, query: Reading) -> dict[str, Any]:
    """Show a document's text as it is read, passage by passage: around one of them, or from a place on."""
    row = documents.get(dataset_id, document_id)
    around = segments.get(dataset_id, query.segment, document_id)["position"] if query.segment else None
    return {**reading.pieces(document_id, start=query.start, around=around), "document": shapes.document(row)}


@console.get("/datasets/<dataset_id>/segments/<segment_id>")
def get_segment(dataset_id: str, segment_id: str) -> Around:
    """Show a passage with its neighbours and its document, as a citation opens it."""
    dataset = datasets.get(dataset_id)
    row = segments.get(dataset_id, segment_id)
    before, after = segments.neighbours(row)
    children = segments.children_of([segment_id])[segment_id]
    return Around(shapes.segment(row, children), segments.index(row),
                  shapes.segment_list(before), shapes.segment_list(after),
                  shapes.document(documents.get(dataset_id, row["document_id"])),
                  {"id": dataset["id"], "name": dataset["name"]})


def _editable(dataset_id: str, document_id: str, segment_id: str) -> dict[str, Any]:
    """Return a passage; raise Forbidden where its document is archived."""
    documents.check_editable(documents.get(dataset_id, document_id))
    return segments.get(dataset_id, segment_id, document_id)
