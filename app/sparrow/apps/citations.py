"""Passages from the knowledge bases, as a client sees them beside an answer."""

from __future__ import annotations

from typing import Any

from sparrow.apps import filebox

_SOURCE = ("dataset_id", "dataset_name", "document_id", "document_name", "data_source_type", "segment_id",
           "retriever_from", "score")
_SEGMENT = (("hit_count", "segment_hit_count"), ("word_count", "segment_word_count"),
            ("segment_position", "segment_position"), ("index_node_hash", "segment_index_node_hash"))


def of(passages: list[dict[str, Any]], retriever_from: str = "api") -> list[dict[str, Any]]:
    """Return Dify's retriever_resources of passages as knowledge gives them, numbered from 1."""
    return [_one(position, passage, retriever_from) for position, passage in enumerate(passages, 1)]


def fresh(resources: list[dict[str, Any]], base: str) -> list[dict[str, Any]]:
    """Return kept retriever_resources with addresses that open now: those of an answer are good for a day."""
    return [{**resource, "files": [{**file, "source_url": base + filebox.signed_path(file["id"])}
                                   for file in resource["files"]]} if resource.get("files") else resource
            for resource in resources]


def _one(position: int, passage: dict[str, Any], retriever_from: str) -> dict[str, Any]:
    metadata = passage.get("metadata") or {}
    found = {"position": position, **{name: metadata.get(name) for name in _SOURCE}}
    found["retriever_from"] = retriever_from
    found.update({name: metadata.get(key) for name, key in _SEGMENT})
    found.update(content=passage.get("content") or "", page=metadata.get("page"),
                 place_kind=metadata.get("place_kind"), place=metadata.get("place"),
                 heading=metadata.get("heading"), doc_metadata=metadata.get("doc_metadata"),
                 title=passage.get("title"), files=passage.get("files"), summary=passage.get("summary"))
    return found
