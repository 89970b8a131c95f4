"""Knowledge as JSON: the objects that the console and the service API both show, in Dify's shape and more."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api.web import base_url
from sparrow.apps import filebox
from sparrow.box import account
from sparrow.knowledge import attachments, datasets, documents, external, summaries
from sparrow.knowledge.retrieve import Passage, forms
from sparrow.knowledge.retrieve.filters import BUILT_IN
from sparrow.storage import db
from sparrow.storage.tables.files import files as file_table


class Dataset(msgspec.Struct, kw_only=True):
    """A knowledge base."""

    id: str
    name: str
    description: str
    provider: str
    permission: str
    data_source_type: str | None = None
    indexing_technique: str | None
    app_count: int
    document_count: int
    word_count: int
    created_by: str = msgspec.field(default_factory=account.identity)
    author_name: str = "admin"
    created_at: int
    updated_by: str = msgspec.field(default_factory=account.identity)
    updated_at: int
    embedding_model: str | None
    embedding_model_provider: str | None
    embedding_available: bool = True
    retrieval_model_dict: dict[str, Any] | None
    summary_index_setting: dict[str, Any] | None = None
    tags: list[dict[str, Any]]
    doc_form: str | None
    external_knowledge_info: dict[str, str] | None = None
    external_retrieval_model: dict[str, Any] | None = None
    doc_metadata: list[dict[str, Any]]
    built_in_field_enabled: bool
    pipeline_id: str | None = None
    runtime_mode: str | None = "general"
    chunk_structure: str | None = None
    icon_info: dict[str, Any] | None = None
    is_published: bool = False
    total_documents: int
    total_available_documents: int
    enable_api: bool
    is_multimodal: bool = False
    maintainer: str | None = None
    partial_member_list: list[str] = []
    process_rule: dict[str, Any] | None = None
    next_embedding_model: str | None = None


class Document(msgspec.Struct, kw_only=True):
    """A document with the state of its indexing, and of the writing of its summaries (`summary_state` is empty,
    waiting, paused or error)."""

    id: str
    position: int
    data_source_type: str
    data_source_info: dict[str, Any] | None
    data_source_detail_dict: dict[str, Any] | None = None
    dataset_process_rule_id: str | None
    name: str
    created_from: str
    created_by: str = msgspec.field(default_factory=account.identity)
    created_at: int
    tokens: int
    indexing_status: str
    error: str | None
    error_code: str | None = None
    enabled: bool
    disabled_at: int | None
    disabled_by: str | None = None
    archived: bool
    display_status: str
    word_count: int
    hit_count: int
    doc_form: str
    doc_metadata: list[dict[str, Any]] | None
    summary_index_status: str | None = None
    need_summary: bool = False
    summary_state: str = ""
    summary_error: str | None = None
    summary_done: int = 0
    summary_total: int = 0
    stage: str
    done: int
    total: int
    speed: float
    notices: list[dict[str, Any]] | None = None
    segment_count: int = 0
    mime_type: str = ""
    size: int = 0
    updated_at: int = 0


class Child(msgspec.Struct, kw_only=True):
    """A child chunk."""

    id: str
    segment_id: str
    content: str
    position: int
    word_count: int
    type: str
    created_at: int
    updated_at: int


class Attachment(msgspec.Struct):
    """An image of a passage; `source_url` opens it for a day, without a login."""

    id: str
    name: str
    size: int
    extension: str
    mime_type: str
    source_url: str


class Segment(msgspec.Struct, kw_only=True):
    """A passage. Its attachments are the images that stand in its text, and those bound to it by hand."""

    id: str
    position: int
    document_id: str
    content: str
    sign_content: str
    answer: str | None
    word_count: int
    tokens: int
    keywords: list[str] | None
    index_node_id: str
    index_node_hash: str
    hit_count: int
    enabled: bool
    disabled_at: int | None
    disabled_by: str | None = None
    status: str
    created_by: str = msgspec.field(default_factory=account.identity)
    created_at: int
    updated_at: int
    updated_by: str = msgspec.field(default_factory=account.identity)
    indexing_at: int | None
    completed_at: int | None
    error: str | None
    stopped_at: int | None = None
    child_chunks: list[Child] = []
    attachments: list[Attachment] = []
    summary: str | None = None
    summary_due: bool = False
    heading: list[str] = []
    place_kind: str = ""
    place: str = ""


def dataset_list(rows: list[dict[str, Any]]) -> list[Dataset]:
    """Return bases with their counts."""
    facts = datasets.facts(rows)
    return [_dataset(row, facts[row["id"]]) for row in rows]


def dataset(row: dict[str, Any]) -> Dataset:
    """Return one base."""
    return dataset_list([row])[0]


def _dataset(row: dict[str, Any], fact: dict[str, Any]) -> Dataset:
    info = None
    if row["provider"] == "external":
        api = external.get(row["external_knowledge_api_id"])
        info = {"external_knowledge_id": row["external_knowledge_id"], "external_knowledge_api_id": api["id"],
                "external_knowledge_api_name": api["name"], "external_knowledge_api_endpoint": api["endpoint"]}
    return Dataset(
        id=row["id"], name=row["name"], description=row["description"], provider=row["provider"],
        permission=row["permission"], data_source_type="upload_file" if fact["document_count"] else None,
        indexing_technique=row["indexing_technique"], app_count=fact["app_count"],
        document_count=fact["document_count"], word_count=fact["word_count"], created_at=int(row["created_at"]),
        updated_at=int(row["updated_at"]), embedding_model=row["embedding_model"] or None,
        embedding_model_provider=row["embedding_model_provider"] or None,
        retrieval_model_dict=forms.filled("retrieval_model", row["retrieval_model"] or {},
                                          datasets.default_retrieval(row["indexing_technique"])),
        summary_index_setting=forms.filled("summary_index_setting", row["summary_index_setting"]),
        tags=fact["tags"], doc_form=row["doc_form"], external_knowledge_info=info,
        external_retrieval_model=row["external_retrieval_model"], doc_metadata=fact["metadata"],
        built_in_field_enabled=row["built_in_field_enabled"], icon_info=row["icon_info"],
        total_documents=fact["document_count"], total_available_documents=fact["available"],
        enable_api=row["enable_api"], process_rule=row["process_rule"],
        next_embedding_model=row["next_embedding_model"])


def document_list(rows: list[dict[str, Any]]) -> list[Document]:
    """Return documents with their counts and files."""
    counts = documents.counts([row["id"] for row in rows])
    wanted = [row["file_id"] for row in rows if row["file_id"]]
    with db.read() as tx:
        known = {file["id"]: file for file in tx.execute(
            file_table.select().where(file_table.c.id.in_(wanted))).mappings()} if wanted else {}
    bases = {row["dataset_id"] for row in rows}
    fields, wanting = _fields(bases), {base for base in bases if summaries.wanted(datasets.get(base), "")}
    return [_document(row, counts.get(row["id"], (0, 0)), known.get(row["file_id"]), fields,
                      summed=row["dataset_id"] in wanting) for row in rows]


def document(row: dict[str, Any]) -> Document:
    """Return one document."""
    return document_list([row])[0]


def _document(row, count: tuple[int, int], file, fields: dict[str, dict[str, Any]], *, summed: bool) -> Document:
    upload = None
    if file is not None:
        upload = {"upload_file": {"id": file["id"], "name": file["name"], "size": file["size"],
                                  "extension": file["extension"], "mime_type": file["mime_type"],
                                  "created_by": account.identity(), "created_at": int(file["created_at"])}}
    return Document(
        id=row["id"], position=row["position"], data_source_type=row["data_source_type"],
        data_source_info=row["data_source_info"], data_source_detail_dict=upload,
        dataset_process_rule_id=row["process_rule_id"], name=row["name"], created_from=row["created_from"],
        created_at=int(row["created_at"]), tokens=row["tokens"], indexing_status=row["indexing_status"],
        error=row["error"], error_code=row["error_code"], enabled=row["enabled"],
        disabled_at=_int(row["disabled_at"]), disabled_by=_who(row["disabled_at"]), archived=row["archived"],
        display_status=documents.display_status(row), word_count=row["word_count"], hit_count=count[1],
        doc_form=row["doc_form"], doc_metadata=metadata_of(row, fields), stage=row["stage"], done=row["done"],
        total=row["total"], speed=row["speed"], notices=row["notices"], segment_count=count[0],
        mime_type=file["mime_type"] if file else "", size=file["size"] if file else 0,
        updated_at=int(row["updated_at"]), need_summary=summed and row["doc_form"] != "qa_model",
        summary_index_status="SUMMARIZING" if row["summary_state"] == "waiting" else None,
        summary_state=row["summary_state"], summary_error=row["summary_error"], summary_done=row["summary_done"],
        summary_total=row["summary_total"])


def metadata_of(row: dict[str, Any], fields: dict[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return a document's metadata as Dify lists it: its fields with their ids and types, None without any."""
    values = row["doc_metadata"] or {}
    return [{"id": fields[name]["id"] if name in fields else "built-in",
             "name": name, "type": fields[name]["type"] if name in fields else "string", "value": value}
            for name, value in values.items() if name in fields or name in BUILT_IN] or None


def _fields(dataset_ids: set[str]) -> dict[str, dict[str, Any]]:
    from sparrow.storage.tables.knowledge import metadata_fields as table

    with db.read() as tx:
        return {row["name"]: dict(row) for row in tx.execute(
            table.select().where(table.c.dataset_id.in_(list(dataset_ids)))).mappings()}


def progress(row: dict[str, Any]) -> dict[str, Any]:
    """Return Dify's indexing-status entry of a document."""
    indexing = row["stage"] in ("indexing", "done")
    return {"id": row["id"], "indexing_status": row["indexing_status"],
            "processing_started_at": _int(row["processing_started_at"]),
            "parsing_completed_at": _int(row["parsing_completed_at"]),
            "cleaning_completed_at": _int(row["cleaning_completed_at"]),
            "splitting_completed_at": _int(row["splitting_completed_at"]), "completed_at": _int(row["completed_at"]),
            "paused_at": _int(row["paused_at"]), "error": row["error"], "stopped_at": _int(row["stopped_at"]),
            "completed_segments": row["done"] if indexing else 0, "total_segments": row["total"] if indexing else 0}


def segment_list(rows: list[dict[str, Any]], children: dict[str, list[dict[str, Any]]] | None = None
                 ) -> list[Segment]:
    """Return passages with their images, and with those of the child chunks that are given by passage."""
    images = attachments.images({row["id"]: attachments.ids_of(row["content"], row["answer"], row["attachments"])
                                 for row in rows})
    return [_segment(row, (children or {}).get(row["id"], []), images[row["id"]]) for row in rows]


def segment(row: dict[str, Any], children: list[dict[str, Any]] | None = None) -> Segment:
    """Return one passage."""
    return segment_list([row], {row["id"]: children or []})[0]


def _segment(row: dict[str, Any], children: list[dict[str, Any]], images: list[attachments.Image]) -> Segment:
    return Segment(
        id=row["id"], position=row["position"], document_id=row["document_id"], content=row["content"],
        sign_content=row["content"], answer=row["answer"], word_count=row["word_count"], tokens=row["tokens"],
        keywords=row["keywords"] or [], index_node_id=row["id"], index_node_hash=row["hash"],
        hit_count=row["hit_count"], enabled=row["enabled"], disabled_at=_int(row["disabled_at"]),
        disabled_by=_who(row["disabled_at"]),
        status=row["status"], created_at=int(row["created_at"]), updated_at=int(row["updated_at"]),
        indexing_at=_int(row["indexing_at"]), completed_at=_int(row["completed_at"]), error=row["error"],
        child_chunks=[child(entry) for entry in children], attachments=[Attachment(
            image.id, image.name, image.size, image.extension, image.mime_type, _address(image.id))
            for image in images], summary=row["summary"], summary_due=row["summary_due"], heading=row["heading"] or [],
        place_kind=row["place_kind"], place=row["place"])


def child(row: dict[str, Any]) -> Child:
    """Return one child chunk."""
    return Child(id=row["id"], segment_id=row["segment_id"], content=row["content"], position=row["position"],
                 word_count=row["word_count"], type=row["type"], created_at=int(row["created_at"]),
                 updated_at=int(row["updated_at"]))


def record(passage: Passage) -> dict[str, Any]:
    """Return a hit as Dify's retrieve and hit-testing calls list it."""
    return {
        "segment": {
            "id": passage.segment_id, "position": passage.position, "document_id": passage.document_id,
            "content": passage.content, "sign_content": passage.content, "answer": passage.answer,
            "word_count": passage.word_count, "tokens": passage.tokens, "keywords": passage.keywords or [],
            "index_node_id": passage.segment_id, "index_node_hash": passage.hash, "hit_count": passage.hit_count,
            "enabled": True, "disabled_at": None, "disabled_by": None, "status": "completed",
            "created_by": account.identity(), "created_at": int(passage.created_at), "indexing_at": None,
            "completed_at": None, "error": None, "stopped_at": None, "heading": passage.heading,
            "place_kind": passage.place_kind, "place": passage.place, "page": passage.page,
            "document": {"id": passage.document_id, "data_source_type": passage.data_source_type,
                         "name": passage.document_name, "doc_type": None, "doc_metadata": passage.doc_metadata}},
        "child_chunks": passage.children, "score": passage.score, "scores": passage.scores,
        "tsne_position": None, "summary": passage.summary, "by_summary": passage.by_summary,
        "files": [attachments.entry(image, _address(image.id)) for image in passage.images],
        "highlights": passage.highlights}


def _address(file_id: str) -> str:
    return base_url() + filebox.signed_path(file_id)


def _who(moment: float | None) -> str | None:
    return account.identity() if moment is not None else None


def _int(value: float | None) -> int | None:
    return int(value) if value is not None else None
