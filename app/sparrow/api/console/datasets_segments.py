"""Passages of documents in the console."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import request

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.console.datasets import Keyword
from sparrow.api.web import OK, Result
from sparrow.errors import BadRequest
from sparrow.knowledge import datasets, documents, reading, segments


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
    """What of a passage may be changed."""

    content: str | None = None
    answer: str | None = None
    keywords: list[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool = False


class Reading(msgspec.Struct, kw_only=True):
    """Where to read: around a passage (its id), or from the passage numbered `start` (from 0)."""

    segment: str = ""
    start: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None


class Around(msgspec.Struct):
    """A passage, the ones beside it, and its document: what a citation opens."""

    segment: shapes.Segment
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
    return Segments([shapes.segment(row, children[row["id"]]) for row in rows],
                    query.offset() + len(rows) < total, query.limit, query.page, total)


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments")
def add_segments(dataset_id: str, document_id: str, body: NewSegments) -> list[shapes.Segment]:
    """Add passages to a document by hand."""
    rows = segments.add(datasets.get(dataset_id), documents.get(dataset_id, document_id), body.segments)
    return [shapes.segment(row) for row in rows]


@console.post("/datasets/<dataset_id>/documents/<document_id>/segments/import", files=("file",))
def import_segments(dataset_id: str, document_id: str) -> dict[str, int]:
    """Add the rows of a CSV file (content, answer, keywords) to a document."""
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    dataset, document = datasets.get(dataset_id), documents.get(dataset_id, document_id)
    return {"added": segments.add_csv(dataset, document, part.stream.read(segments.MAX_CSV + 1))}


@console.patch("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>")
def change_segment(dataset_id: str, document_id: str, segment_id: str, body: SegmentChange) -> shapes.Segment:
    """Change a passage, or switch it off."""
    row = segments.update(
        datasets.get(dataset_id), documents.get(dataset_id, document_id),
        segments.get(dataset_id, segment_id, document_id), content=body.content, answer=body.answer,
        keywords=body.keywords, enabled=body.enabled, regenerate=body.regenerate_child_chunks)
    return shapes.segment(row, segments.children_of([segment_id])[segment_id])


@console.delete("/datasets/<dataset_id>/documents/<document_id>/segments/<segment_id>")
def delete_segment(dataset_id: str, document_id: str, segment_id: str) -> Result:
    """Delete a passage."""
    segments.get(dataset_id, segment_id, document_id)
    segments.delete(dataset_id, document_id, [segment_id])
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
    return Around(shapes.segment(row, children), [shapes.segment(item) for item in before],
                  [shapes.segment(item) for item in after],
                  shapes.document(documents.get(dataset_id, row["document_id"])),
                  {"id": dataset["id"], "name": dataset["name"]})
