"""Knowledge bases in the service API: what Dify's clients call with a knowledge key."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from flask import Response, request, send_file

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.service import service
from sparrow.errors import BadRequest, NotFound
from sparrow.knowledge import datasets, documents, fields, segments
from sparrow.knowledge.port import rerank
from sparrow.knowledge.retrieve import retrieve
from sparrow.storage import files

MAX_FILE = 200 << 20
MAX_QUERY = 250


class DatasetBody(msgspec.Struct, kw_only=True):
    """A new base, or changes to one."""

    name: str | None = None
    description: str | None = None
    indexing_technique: str | None = None
    permission: str | None = None
    provider: str | None = None
    embedding_model: str | None = None
    embedding_model_provider: str | None = None
    retrieval_model: dict[str, Any] | None = None
    external_knowledge_api_id: str | None = None
    external_knowledge_id: str | None = None
    external_retrieval_model: dict[str, Any] | None = None
    summary_index_setting: dict[str, Any] | None = None
    partial_member_list: list[Any] | None = None


class Listing(msgspec.Struct, kw_only=True):
    """The query of a list; a limit over 100 counts as 100."""

    page: int = 1
    limit: int = 20
    keyword: str | None = None
    tag_ids: list[str] | str | None = None
    include_all: bool = False
    status: list[str] | str | None = None
    metadata: str = "all"

    def bounds(self) -> dict[str, int]:
        """Return page and limit within their bounds."""
        return {"page": max(self.page, 1), "limit": min(max(self.limit, 1), 100)}


class TextBody(msgspec.Struct, kw_only=True):
    """A document as text."""

    name: str | None = None
    text: str | None = None
    indexing_technique: str | None = None
    doc_form: str | None = None
    doc_language: str | None = None
    process_rule: dict[str, Any] | None = None
    retrieval_model: dict[str, Any] | None = None
    embedding_model: str | None = None
    embedding_model_provider: str | None = None
    original_document_id: str | None = None
    duplicate: bool | None = None


class FileForm(msgspec.Struct):
    """The text part beside a file: a JSON object with the fields of TextBody."""

    data: str | None = None


class RetrieveBody(msgspec.Struct, kw_only=True):
    """A question."""

    query: str
    retrieval_model: dict[str, Any] | None = None
    external_retrieval_model: dict[str, Any] | None = None
    attachment_ids: list[str] | None = None


class IdsBody(msgspec.Struct):
    """Documents to act on."""

    document_ids: list[str]


class SegmentsBody(msgspec.Struct):
    """Passages to add."""

    segments: list[dict[str, Any]]


class SegmentFields(msgspec.Struct, kw_only=True):
    """What of a passage changes."""

    content: str | None = None
    answer: str | None = None
    keywords: list[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool = False
    attachment_ids: list[str] | None = None
    summary: str | None = None


class SegmentBody(msgspec.Struct):
    """A passage's changes."""

    segment: SegmentFields


class ContentBody(msgspec.Struct):
    """The text of a child chunk."""

    content: str


class FieldBody(msgspec.Struct):
    """A new metadata field."""

    name: str
    type: str


class NameBody(msgspec.Struct):
    """A name."""

    name: str


class MetadataBody(msgspec.Struct):
    """Metadata of several documents."""

    operation_data: list[dict[str, Any]]


class TagBody(msgspec.Struct):
    """A tag to rename or delete."""

    tag_id: str
    name: str | None = None


class BindingBody(msgspec.Struct, kw_only=True):
    """Tags and the base they go on or come off."""

    target_id: str
    tag_ids: list[str] | None = None
    tag_id: str | None = None


# Tags stand before /datasets/<id>, or "tags" would be an id.


@service.get("/datasets/tags", tag="tags")
def list_tags() -> list[dict[str, Any]]:
    """List the tags."""
    return fields.tags()


@service.post("/datasets/tags", tag="tags")
def create_tag(body: NameBody) -> dict[str, Any]:
    """Make a tag."""
    return fields.create_tag(body.name)


@service.patch("/datasets/tags", tag="tags")
def rename_tag(body: TagBody) -> dict[str, Any]:
    """Rename a tag."""
    return fields.rename_tag(body.tag_id, body.name or "")


@service.delete("/datasets/tags", tag="tags", status=204)
def delete_tag(body: TagBody) -> None:
    """Delete a tag."""
    fields.delete_tag(body.tag_id)


@service.post("/datasets/tags/binding", tag="tags", status=204)
def bind_tags(body: BindingBody) -> None:
    """Put tags on a base."""
    fields.bind(body.tag_ids or [], _dataset(body.target_id)["id"], on=True)


@service.post("/datasets/tags/unbinding", tag="tags", status=204)
def unbind_tags(body: BindingBody) -> None:
    """Take tags off a base."""
    chosen = [*(body.tag_ids or []), *([body.tag_id] if body.tag_id else [])]
    fields.bind(chosen, _dataset(body.target_id)["id"], on=False)


@service.get("/datasets/<dataset_id>/tags", tag="tags")
def dataset_tags(dataset_id: str) -> dict[str, Any]:
    """List the tags of a base."""
    row = _dataset(dataset_id)
    found = [{"id": tag["id"], "name": tag["name"]} for tag in datasets.facts([row])[row["id"]]["tags"]]
    return {"data": found, "total": len(found)}


@service.get("/datasets")
def list_datasets(query: Listing) -> dict[str, Any]:
    """List the bases."""
    tags = [query.tag_ids] if isinstance(query.tag_ids, str) else query.tag_ids
    rows, total = datasets.search(**query.bounds(), keyword=query.keyword or "", tag_ids=tags)
    return _page(shapes.dataset_list(rows), total, query)


@service.post("/datasets")
def create_dataset(body: DatasetBody) -> shapes.Dataset:
    """Create an empty base."""
    given = {key: value for key, value in msgspec.structs.asdict(body).items()
             if value is not None and key not in ("partial_member_list", "external_retrieval_model")}
    if "name" not in given:
        raise BadRequest("name is required.", params="name")
    return shapes.dataset(datasets.create(**given))


@service.get("/datasets/<dataset_id>")
def get_dataset(dataset_id: str) -> shapes.Dataset:
    """Show a base."""
    return shapes.dataset(_dataset(dataset_id))


@service.patch("/datasets/<dataset_id>")
def change_dataset(dataset_id: str, body: DatasetBody) -> shapes.Dataset:
    """Change a base."""
    _dataset(dataset_id)
    return shapes.dataset(datasets.update(dataset_id, {
        key: value for key, value in msgspec.structs.asdict(body).items() if value is not None}))


@service.delete("/datasets/<dataset_id>", status=204)
def delete_dataset(dataset_id: str) -> None:
    """Delete a base."""
    _dataset(dataset_id)
    datasets.delete(dataset_id)


def find_passages(dataset_id: str, body: RetrieveBody) -> dict[str, Any]:
    """Return the passages of a base that answer a question."""
    row = _dataset(dataset_id)
    if len(body.query) > MAX_QUERY:
        raise BadRequest(f"Query is too long: the limit is {MAX_QUERY} characters.", params="query")
    found = retrieve(body.query, [row["id"]], body.retrieval_model, rerank=rerank, source="api")
    return {"query": {"content": body.query}, "records": [shapes.record(passage) for passage in found]}


for _path in ("/datasets/<dataset_id>/retrieve", "/datasets/<dataset_id>/hit-testing"):
    service.post(_path)(find_passages)


def create_by_text(dataset_id: str, body: TextBody) -> dict[str, Any]:
    """Add a document by its text."""
    row = _dataset(dataset_id)
    if body.original_document_id:
        return update_by_text(dataset_id, body.original_document_id, body)
    if not body.name or not body.text or not body.text.strip():
        raise BadRequest("name and text are required.", params="name" if not body.name else "text")
    _technique(row, body)
    document, batch = documents.add_text(
        dataset_id, body.name, body.text, process_rule=body.process_rule, doc_form=body.doc_form,
        doc_language=body.doc_language or "English", indexing_technique=body.indexing_technique, created_from="api")
    return {"document": shapes.document(document), "batch": batch}


def create_by_file(dataset_id: str, form: FileForm) -> dict[str, Any]:
    """Add a document by its file."""
    row = _dataset(dataset_id)
    body = _data(form)
    if body.original_document_id:
        return update_by_file(dataset_id, body.original_document_id, form)
    _technique(row, body)
    file = _upload()
    rows, batch = documents.add_files(
        dataset_id, [file["id"]], process_rule=body.process_rule, doc_form=body.doc_form,
        doc_language=body.doc_language or "English", indexing_technique=body.indexing_technique, created_from="api")
    return {"document": shapes.document(rows[0]), "batch": batch}


def update_by_text(dataset_id: str, document_id: str, body: TextBody) -> dict[str, Any]:
    """Replace a document's text."""
    _dataset(dataset_id)
    row = documents.get(dataset_id, document_id)
    file_id = None
    if body.text is not None:
        if not body.text.strip():
            raise BadRequest("text must not be empty.", params="text")
        file_id = documents.save_text(body.name or row["name"], body.text)["id"]
    row = documents.reindex(dataset_id, document_id, file_id=file_id, name=body.name, process_rule=body.process_rule,
                            doc_language=body.doc_language)
    return {"document": shapes.document(row), "batch": row["batch"]}


def update_by_file(dataset_id: str, document_id: str, form: FileForm) -> dict[str, Any]:
    """Replace a document's file."""
    _dataset(dataset_id)
    body = _data(form)
    documents.get(dataset_id, document_id)
    file = _upload() if request.files else None
    row = documents.reindex(dataset_id, document_id, file_id=file["id"] if file else None,
                            name=body.name or (file["name"] if file else None), process_rule=body.process_rule,
                            doc_language=body.doc_language)
    return {"document": shapes.document(row), "batch": row["batch"]}


for _verb in ("text", "file"):
    for _mark in ("-", "_"):
        service.post(f"/datasets/<dataset_id>/document/create{_mark}by{_mark}{_verb}", tag="documents")(
            create_by_text if _verb == "text" else create_by_file)
        service.post(f"/datasets/<dataset_id>/documents/<document_id>/update{_mark}by{_mark}{_verb}",
                     tag="documents")(update_by_text if _verb == "text" else update_by_file)
service.patch("/datasets/<dataset_id>/documents/<document_id>", tag="documents")(update_by_file)


@service.get("/datasets/<dataset_id>/documents", tag="documents")
def list_documents(dataset_id: str, query: Listing) -> dict[str, Any]:
    """List a base's documents."""
    _dataset(dataset_id)
    status = query.status if isinstance(query.status, str) else None
    rows, total = documents.search(dataset_id, **query.bounds(), keyword=query.keyword or "", status=status)
    return _page(shapes.document_list(rows), total, query)


@service.post("/datasets/<dataset_id>/documents/metadata", tag="metadata")
def set_metadata(dataset_id: str, body: MetadataBody) -> dict[str, str]:
    """Set the metadata of documents."""
    _dataset(dataset_id)
    fields.set_values(dataset_id, body.operation_data)
    return {"result": "success"}


@service.post("/datasets/<dataset_id>/documents/download-zip", tag="documents")
def download_zip(dataset_id: str, body: IdsBody) -> Response:
    """Download the originals of documents as one zip file."""
    import tempfile
    import zipfile

    _dataset(dataset_id)
    rows = [documents.get(dataset_id, document_id) for document_id in body.document_ids]
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - send_file closes it
    taken: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            if row["file_id"]:
                file = files.get(row["file_id"])
                name = file["name"] if file["name"] not in taken else f"{file['id']}-{file['name']}"
                taken.add(name)
                archive.write(files.path(file["id"]), name)
    packed.seek(0)
    return send_file(packed, mimetype="application/zip", as_attachment=True, download_name="documents.zip")


@service.patch("/datasets/<dataset_id>/documents/status/<action>", tag="documents")
def set_status(dataset_id: str, action: str, body: IdsBody) -> dict[str, str]:
    """Enable, disable, archive or un_archive documents."""
    _dataset(dataset_id)
    documents.set_status(dataset_id, body.document_ids, action)
    return {"result": "success"}


@service.get("/datasets/<dataset_id>/documents/<batch>/indexing-status", tag="documents")
def indexing_status(dataset_id: str, batch: str) -> dict[str, Any]:
    """Show how far the documents of a batch are."""
    _dataset(dataset_id)
    rows, _ = documents.search(dataset_id, limit=1000, batch=batch)
    if not rows:
        raise NotFound("Documents not found.")
    return {"data": [shapes.progress(row) for row in rows]}


@service.get("/datasets/<dataset_id>/documents/<document_id>", tag="documents")
def get_document(dataset_id: str, document_id: str, query: Listing) -> dict[str, Any]:
    """Show a document; `metadata` is all, only or without."""
    dataset = _dataset(dataset_id)
    if query.metadata not in ("all", "only", "without"):
        raise BadRequest(f"Invalid metadata value: {query.metadata}", code="invalid_metadata")
    row = documents.get(dataset_id, document_id)
    shown = msgspec.to_builtins(shapes.document(row))
    if query.metadata == "only":
        return {"id": row["id"], "doc_type": row["doc_type"], "doc_metadata": shown["doc_metadata"]}
    count = shown["segment_count"]
    shown.update(
        data_source_info=shown.pop("data_source_detail_dict") or shown["data_source_info"],
        dataset_process_rule=dataset["process_rule"], document_process_rule=row["process_rule"],
        doc_language=row["doc_language"], doc_type=row["doc_type"],
        completed_at=int(row["completed_at"]) if row["completed_at"] else None,
        indexing_latency=row["completed_at"] - row["processing_started_at"]
        if row["completed_at"] and row["processing_started_at"] else None,
        average_segment_length=row["word_count"] / count if count else 0)
    if query.metadata == "without":
        shown.pop("doc_type")
        shown.pop("doc_metadata")
    return shown


@service.delete("/datasets/<dataset_id>/documents/<document_id>", tag="documents", status=204)
def delete_document(dataset_id: str, document_id: str) -> None:
    """Delete a document."""
    _dataset(dataset_id)
    documents.delete(dataset_id, [document_id])


@service.get("/datasets/<dataset_id>/documents/<document_id>/download", tag="documents")
def download(dataset_id: str, document_id: str) -> dict[str, str]:
    """Return the address of a document's original."""
    _dataset(dataset_id)
    row = documents.get(dataset_id, document_id)
    if not row["file_id"]:
        raise NotFound("Document file not found.")
    return {"url": f"{request.host_url}v1/datasets/{dataset_id}/documents/{document_id}/original"}


@service.get("/datasets/<dataset_id>/documents/<document_id>/original", tag="documents")
def original(dataset_id: str, document_id: str) -> Response:
    """Download a document's original."""
    _dataset(dataset_id)
    file = files.get(documents.get(dataset_id, document_id)["file_id"] or "")
    return send_file(files.path(file["id"]), mimetype=file["mime_type"], as_attachment=True,
                     download_name=file["name"])


_SEGMENTS = "/datasets/<dataset_id>/documents/<document_id>/segments"


@service.post(_SEGMENTS, tag="chunks")
def add_segments(dataset_id: str, document_id: str, body: SegmentsBody) -> dict[str, Any]:
    """Add passages to a document."""
    document = documents.get(dataset_id, document_id)
    rows = segments.add(_dataset(dataset_id), document, body.segments)
    return {"data": _segments(rows), "doc_form": document["doc_form"]}


@service.get(_SEGMENTS, tag="chunks")
def list_segments(dataset_id: str, document_id: str, query: Listing) -> dict[str, Any]:
    """List a document's passages."""
    _dataset(dataset_id)
    document = documents.get(dataset_id, document_id)
    status = [query.status] if isinstance(query.status, str) else query.status
    rows, total = segments.search(document_id, **query.bounds(), keyword_=query.keyword or "", status=status)
    return {**_page(_segments(rows), total, query), "doc_form": document["doc_form"]}


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
                          regenerate=change.regenerate_child_chunks)
    return {"data": _segments([row])[0], "doc_form": document["doc_form"]}


@service.delete(f"{_SEGMENTS}/<segment_id>", tag="chunks", status=204)
def delete_segment(dataset_id: str, document_id: str, segment_id: str) -> None:
    """Delete a passage."""
    _segment(dataset_id, document_id, segment_id)
    segments.delete(dataset_id, document_id, [segment_id])


@service.post(f"{_SEGMENTS}/<segment_id>/child_chunks", tag="chunks")
def add_child(dataset_id: str, document_id: str, segment_id: str, body: ContentBody) -> dict[str, Any]:
    """Add a child chunk."""
    dataset, _, row = _segment(dataset_id, document_id, segment_id)
    return {"data": shapes.child(segments.add_child(dataset, row, body.content))}


@service.get(f"{_SEGMENTS}/<segment_id>/child_chunks", tag="chunks")
def list_children(dataset_id: str, document_id: str, segment_id: str, query: Listing) -> dict[str, Any]:
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
    dataset, _, row = _segment(dataset_id, document_id, segment_id)
    return {"data": shapes.child(segments.update_child(dataset, row, segments.child(segment_id, child_id),
                                                       body.content))}


@service.delete(f"{_SEGMENTS}/<segment_id>/child_chunks/<child_id>", tag="chunks", status=204)
def delete_child(dataset_id: str, document_id: str, segment_id: str, child_id: str) -> None:
    """Delete a child chunk."""
    _segment(dataset_id, document_id, segment_id)
    segments.child(segment_id, child_id)
    segments.delete_child(dataset_id, child_id)


@service.get("/datasets/<dataset_id>/metadata", tag="metadata")
def list_metadata(dataset_id: str) -> dict[str, Any]:
    """List a base's metadata fields."""
    row = _dataset(dataset_id)
    return {"doc_metadata": fields.list_fields(dataset_id), "built_in_field_enabled": row["built_in_field_enabled"]}


@service.post("/datasets/<dataset_id>/metadata", tag="metadata", status=201)
def create_metadata(dataset_id: str, body: FieldBody) -> dict[str, Any]:
    """Add a metadata field."""
    _dataset(dataset_id)
    return fields.create_field(dataset_id, body.name, body.type)


@service.get("/datasets/<dataset_id>/metadata/built-in", tag="metadata")
def list_built_in(dataset_id: str) -> dict[str, Any]:
    """List the built-in metadata fields."""
    _dataset(dataset_id)
    return {"fields": [{"name": name, "type": kind} for name, kind in fields.BUILT_IN_TYPES.items()]}


@service.post("/datasets/<dataset_id>/metadata/built-in/<action>", tag="metadata")
def switch_built_in(dataset_id: str, action: str) -> dict[str, str]:
    """Enable or disable the built-in metadata fields."""
    _dataset(dataset_id)
    if action not in ("enable", "disable"):
        raise BadRequest("action must be enable or disable.", params="action")
    fields.built_in(dataset_id, enabled=action == "enable")
    return {"result": "success"}


@service.patch("/datasets/<dataset_id>/metadata/<metadata_id>", tag="metadata")
def rename_metadata(dataset_id: str, metadata_id: str, body: NameBody) -> dict[str, Any]:
    """Rename a metadata field."""
    _dataset(dataset_id)
    return fields.rename_field(dataset_id, metadata_id, body.name)


@service.delete("/datasets/<dataset_id>/metadata/<metadata_id>", tag="metadata", status=204)
def delete_metadata(dataset_id: str, metadata_id: str) -> None:
    """Delete a metadata field."""
    _dataset(dataset_id)
    fields.delete_field(dataset_id, metadata_id)


def _dataset(dataset_id: str) -> dict[str, Any]:
    return datasets.get(dataset_id, api=True)


def _segment(dataset_id: str, document_id: str, segment_id: str):
    return _dataset(dataset_id), documents.get(dataset_id, document_id), \
        segments.get(dataset_id, segment_id, document_id)


def _segments(rows: list[dict[str, Any]]) -> list[shapes.Segment]:
    children = segments.children_of([row["id"] for row in rows])
    return [shapes.segment(row, children[row["id"]]) for row in rows]


def _page(data: list[Any], total: int, query: Listing) -> dict[str, Any]:
    bounds = query.bounds()
    return {"data": data, "has_more": bounds["page"] * bounds["limit"] < total, "limit": bounds["limit"],
            "total": total, "page": bounds["page"]}


def _technique(dataset: dict[str, Any], body: TextBody) -> None:
    if not dataset["indexing_technique"] and not body.indexing_technique:
        raise BadRequest("indexing_technique is required.", params="indexing_technique")
    changes = {key: value for key, value in (("retrieval_model", body.retrieval_model),
                                             ("embedding_model", body.embedding_model),
                                             ("embedding_model_provider", body.embedding_model_provider)) if value}
    if changes and not dataset["indexing_technique"]:
        datasets.update(dataset["id"], changes)


def _data(form: FileForm) -> TextBody:
    try:
        return msgspec.json.decode(form.data or "{}", type=TextBody)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadRequest(f"data: {error}", params="data") from None


def _upload() -> dict[str, Any]:
    parts = request.files.getlist("file")
    if not parts:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    if len(request.files) > 1 or len(parts) > 1:
        raise BadRequest("Only one file is allowed.", code="too_many_files", params="file")
    if not parts[0].filename:
        raise BadRequest("The specified filename does not exist.", code="filename_not_exists_error", params="file")
    return dict(files.save(parts[0].stream, parts[0].filename, mime_type=parts[0].mimetype or None,
                           max_bytes=MAX_FILE))
