"""The form of the file: a zip of JSON lines, one file of vectors and the originals, described by a manifest.

    manifest.json     what this is, which version of the form, size and SHA-256 of every other member
    base.json         the base's settings, metadata fields and tags
    files.jsonl       originals and pictures; their bytes are files/{number}
    documents.jsonl   in order
    segments.jsonl    passages with their child chunks, in the order of the documents
    vectors.bin       float32, little endian, one row for each text marked `vector` in segments.jsonl, in its order: the
                      passage's own, its children's, its summary's

A reader of version N reads every version up to N; since 2 passages have summaries. The numbers and dates are those of
the rows (Unix seconds).
"""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.errors import BadRequest

FORMAT = "sparrow-knowledge"
VERSION = 2
SUFFIX = ".sparrow-knowledge"
MAX_MANIFEST = 64 << 20  # bytes
MAX_LINE = 64 << 20


class TransferError(BadRequest):
    """The file is not a knowledge base, is damaged, or was made by a newer version; the message says which."""

    code = "invalid_knowledge_file"


class Member(msgspec.Struct):
    """Size in bytes and SHA-256 of one member of the zip."""

    size: int
    sha256: str


class Model(msgspec.Struct):
    """The embedding model of the vectors; dimension is None while the base has none."""

    provider: str
    model: str
    dimension: int | None


class Manifest(msgspec.Struct, kw_only=True):
    """What the file holds."""

    format: str
    version: int
    made_by: str
    created_at: float
    name: str
    documents: int
    segments: int
    model: Model | None
    members: dict[str, Member]


class Base(msgspec.Struct, kw_only=True):
    """A base's settings."""

    id: str
    name: str
    description: str
    permission: str
    indexing_technique: str | None
    doc_form: str | None
    embedding_model: str
    embedding_model_provider: str
    retrieval_model: dict[str, Any] | None
    summary_index_setting: dict[str, Any] | None
    icon_info: dict[str, Any] | None
    process_rule: dict[str, Any] | None
    built_in_field_enabled: bool
    enable_api: bool
    created_at: float
    fields: list[Field]
    tags: list[str]


class Field(msgspec.Struct):
    """A metadata field."""

    name: str
    type: str


class PageText(msgspec.Struct):
    """What a vision model has read on a scanned page (from 1), as Markdown."""

    page: int
    model: str
    text: str


class File(msgspec.Struct):
    """An original or a picture; `member` is its name in the zip."""

    id: str
    name: str
    mime_type: str
    member: str
    pages: list[PageText] = []


class Document(msgspec.Struct, kw_only=True):
    """A document; one that was not finished comes without passages and is indexed again after the import."""

    id: str
    position: int
    name: str
    data_source_type: str
    data_source_info: dict[str, Any] | None
    created_from: str
    file_id: str | None
    batch: str
    doc_form: str
    doc_language: str
    doc_type: str | None
    doc_metadata: dict[str, Any] | None
    process_rule: dict[str, Any] | None
    indexing_status: str
    error: str | None
    error_code: str | None
    notices: list[dict[str, Any]] | None
    word_count: int
    tokens: int
    enabled: bool
    archived: bool
    disabled_at: float | None
    archived_at: float | None
    processing_started_at: float | None
    parsing_completed_at: float | None
    cleaning_completed_at: float | None
    splitting_completed_at: float | None
    completed_at: float | None
    created_at: float
    updated_at: float


class Child(msgspec.Struct):
    """A child chunk."""

    id: str
    content: str
    type: str
    vector: bool


class Segment(msgspec.Struct, kw_only=True):
    """A passage."""

    id: str
    document_id: str
    position: int
    origin: str
    content: str
    answer: str | None
    heading: list[str] | None
    place_kind: str
    place: str
    kind: str
    keywords: list[str] | None
    attachments: list[str] | None
    enabled: bool
    hit_count: int
    disabled_at: float | None
    created_at: float
    updated_at: float
    vector: bool
    children: list[Child]
    summary: str | None = None
    summary_vector: bool = False


def names(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the columns a record is made of."""
    return tuple(name for name in struct.__struct_fields__ if name not in (
        "vector", "children", "summary_vector", "fields", "tags"))
