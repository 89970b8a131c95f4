"""Passages and child chunks of documents in the service API."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.service import knowledge, service
from sparrow.knowledge import documents, segments

_SEGMENTS = "/datasets/<dataset_id>/documents/<document_id>/segments"


class SegmentsBody(msgspec.Struct):
    """Passages to add."""

    segments: list[segments.NewSegment]


class SegmentFields(msgspec.Struct, kw_only=True):
    """What of a passage changes; null takes its summary away."""

    content: str | None = None
    answer: str | None = None
    keywords: list[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool = False
    attachment_ids: list[str] | None = None
    summary: str | msgspec.UnsetType | None = msgspec.UNSET


class SegmentBody(msgspec.Struct):
    """A passage's changes."""

    segment: SegmentFields


class ContentBody(msgspec.Struct):
    """The text of a child chunk."""

    content: str


@service.post(_SEGMENTS, tag="chunks")
def add_segments(dataset_id: str, document_id: str, body: SegmentsBody) -> dict[str, Any]:
    """Add passages to a document."""
    dataset = knowledge.dataset(dataset_id)
    document = documents.get(dataset_id, document_id)
    rows = segments.add(dataset, document, body.segments)
    return {"data": _segments(rows), "doc_form": document["doc_form"]}


@service.get(_SEGMENTS, tag="chunks")
def list_segments(dataset_id: str, document_id: str, query: knowledge.Listing) -> dict[str, Any]:
    """List a document's passages."""
    knowledge.dataset(dataset_id)
    document = documents.get(dataset_id, document_id)
    status = [query.status] if isinstance(query.status, str) else query.status
    rows, total = segments.search(document_id, **query.bounds(), keyword_=query.keyword or "", status=status)
    return {**knowledge.page(_segments(rows), total, query), "doc_form": document["doc_form"]}


@service.get(f"{_SEGMENTS}/<segment_id>", tag="chunks")
def get_segment(dataset_id: str, document_id: str, segment_id: str) -> dict[str, Any]:
    """Show a passage."""
    _, document, row = _segment(dataset_id, document_id, segment_id)
    return {"data": _segments([row])[0], "doc_form": document["doc_form"]}


@service.post(f"{_SEGMENTS}/<segment_id>", tag="chunks")
def change_segment(dataset_id: str, document_id: str, segment_id: str, body: SegmentBody) -> dict[str, Any]:
    """Change a passage."""
    dataset, document, row = _segment(dataset_id, document_id, segment_id)
    change = body.segment
    row = segments.update(dataset, document, row, content=change.content, answer=change.answer,
                          keywords=change.keywords, enabled=change.enabled,
                          regenerate=change.regenerate_child_chunks or None, attachment_ids=change.attachment_ids,
                          summary=change.summary)
    return {"data": _segments([row])[0], "doc_form": document["doc_form"]}


@service.delete(f"{_SEGMENTS}/<segment_id>", tag="chunks", status=204)
def delete_segment(dataset_id: str, document_id: str, segment_id: str) -> None:
    """Delete a passage."""
    _editable(dataset_id, document_id, segment_id)
    segments.delete(dataset_id, document_id, [segment_id])


@service.post(f"{_SEGMENTS}/<segment_id>/child_chunks", tag="chunks")
def add_child(dataset_id: str, document_id: str, segment_id: str, body: ContentBody) -> dict[str, Any]:
    """Add a child chunk."""
    dataset, _, row = _editable(dataset_id, document_id, segment_id)
    return {"data": shapes.child(segments.add_child(dataset, row, body.content))}


@service.get(f"{_SEGMENTS}/<segment_id>/child_chunks", tag="chunks")
def list_children(dataset_id: str, document_id: str, segment_id: str, query: knowledge.Listing) -> dict[str, Any]:
    """List the child chunks of a passage."""
    _segment(dataset_id, document_id, segment_id)
    bounds = query.bounds()
    found = [row for row in segments.children_of([segment_id])[segment_id]
             if (query.keyword or "").lower() in row["content"].lower()]
    start = (bounds["page"] - 1) * bounds["limit"]
    return {"data": [shapes.child(row) for row in found[start:start + bounds["limit"]]], "total": len(found),
            "total_pages": math.ceil(len(found) / bounds["limit"]), **bounds}


@service.patch(f"{_SEGMENTS}/<segment_id>/child_chunks/<child_id>", tag="chunks")
def change_child(dataset_id: str, document_id: str, segment_id: str, child_id: str, body: ContentBody
                 ) -> dict[str, Any]:
    """Change a child chunk."""
    dataset, _, row = _editable(dataset_id, document_id, segment_id)
    return {"data": shapes.child(segments.update_child(dataset, row, segments.child(segment_id, child_id),
                                                       body.content))}


@service.delete(f"{_SEGMENTS}/<segment_id>/child_chunks/<child_id>", tag="chunks", status=204)
def delete_child(dataset_id: str, document_id: str, segment_id: str, child_id: str) -> None:
    """Delete a child chunk."""
    _editable(dataset_id, document_id, segment_id)
    segments.child(segment_id, child_id)
    segments.delete_child(dataset_id, child_id)


def _segment(dataset_id: str, document_id: str, segment_id: str):
    return knowledge.dataset(dataset_id), documents.get(dataset_id, document_id), \
        segments.get(dataset_id, segment_id, document_id)


def _editable(dataset_id: str, document_id: str, segment_id: str):
    found = _segment(dataset_id, document_id, segment_id)
    documents.check_editable(found[1])
    return found


def _segments(rows: list[dict[str, Any]]) -> list[shapes.Segment]:
    return shapes.segment_list(rows, segments.children_of([row["id"] for row in rows]))
