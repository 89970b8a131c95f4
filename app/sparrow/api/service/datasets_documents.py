"""Documents of knowledge bases in the service API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response, request, send_file

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.service import knowledge, service
from sparrow.api.service.room import with_canonical_ids
from sparrow.api.web import base_url
from sparrow.apps import filebox
from sparrow.box import account
from sparrow.errors import BadRequest, NotFound, SparrowError
from sparrow.knowledge import chunk, datasets, documents
from sparrow.storage import files


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


class IdsBody(msgspec.Struct):
    """Documents to act on."""

    document_ids: list[str]


def create_by_text(dataset_id: str, body: TextBody) -> dict[str, Any]:
    """Add a document by its text."""
    row = knowledge.dataset(dataset_id)
    if body.original_document_id:
        return update_by_text(dataset_id, body.original_document_id, body)
    if not body.name or not body.text or not body.text.strip():
        raise BadRequest("name and text are required.", params="name" if not body.name else "text")
    _begin(row, body)
    document, batch = documents.add_text(
        dataset_id, body.name, body.text, process_rule=body.process_rule, doc_form=body.doc_form,
        doc_language=body.doc_language or "English", indexing_technique=body.indexing_technique, created_from="api")
    return {"document": shapes.document(document), "batch": batch}


def create_by_file(dataset_id: str, form: FileForm) -> dict[str, Any]:
    """Add a document by its file."""
    row = knowledge.dataset(dataset_id)
    body = _data(form)
    if body.original_document_id:
        return update_by_file(dataset_id, body.original_document_id, form)
    _begin(row, body)
    file = knowledge.upload()
    rows, batch = documents.add_files(
        dataset_id, [file["id"]], process_rule=body.process_rule, doc_form=body.doc_form,
        doc_language=body.doc_language or "English", indexing_technique=body.indexing_technique, created_from="api")
    return {"document": shapes.document(rows[0]), "batch": batch}


def update_by_text(dataset_id: str, document_id: str, body: TextBody) -> dict[str, Any]:
    """Replace a document's text."""
    knowledge.dataset(dataset_id)
    row = documents.get(dataset_id, document_id)
    _check_again(row, body)
    file_id = None
    if body.text is not None:
        if not body.text.strip():
            raise BadRequest("text must not be empty.", params="text")
        file_id = documents.save_text(body.name or row["name"], body.text)["id"]
    return _replaced(dataset_id, document_id, file_id, body.name, body)


def update_by_file(dataset_id: str, document_id: str, form: FileForm) -> dict[str, Any]:
    """Replace a document's file."""
    knowledge.dataset(dataset_id)
    body = _data(form)
    _check_again(documents.get(dataset_id, document_id), body)
    file = knowledge.upload() if request.files else None
    return _replaced(dataset_id, document_id, file["id"] if file else None,
                     body.name or (file["name"] if file else None), body)


def _replaced(dataset_id: str, document_id: str, file_id: str | None, name: str | None, body: TextBody
              ) -> dict[str, Any]:
    try:
        row = documents.reindex(dataset_id, document_id, file_id=file_id, name=name, process_rule=body.process_rule,
                                doc_language=body.doc_language)
    except SparrowError:  # the document was deleted or archived while the file came
        if file_id:
            files.delete(file_id)
        raise
    return {"document": shapes.document(row), "batch": row["batch"]}


for _verb in ("text", "file"):
    for _mark in ("-", "_"):
        service.post(f"/datasets/<dataset_id>/document/create{_mark}by{_mark}{_verb}", tag="documents")(
            create_by_text if _verb == "text" else create_by_file)
        service.post(f"/datasets/<dataset_id>/documents/<document_id>/update{_mark}by{_mark}{_verb}",
                     tag="documents")(update_by_text if _verb == "text" else update_by_file)
service.patch("/datasets/<dataset_id>/documents/<document_id>", tag="documents")(update_by_file)


@service.get("/datasets/<dataset_id>/documents", tag="documents")
def list_documents(dataset_id: str, query: knowledge.Listing) -> dict[str, Any]:
    """List a base's documents."""
    knowledge.dataset(dataset_id)
    status = documents.known_status(query.status) if isinstance(query.status, str) else None
    rows, total = documents.search(dataset_id, **query.bounds(), keyword=query.keyword or "", status=status)
    return knowledge.page(shapes.document_list(rows), total, query)


@service.post("/datasets/<dataset_id>/documents/download-zip", tag="documents")
def download_zip(dataset_id: str, body: IdsBody) -> Response:
    """Download the originals of documents as one zip file."""
    import tempfile
    import zipfile

    knowledge.dataset(dataset_id)
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
    knowledge.dataset(dataset_id)
    documents.set_status(dataset_id, body.document_ids, action)
    return {"result": "success"}


@service.get("/datasets/<dataset_id>/documents/<batch>/indexing-status", tag="documents")
def indexing_status(dataset_id: str, batch: str) -> dict[str, Any]:
    """Show how far the documents of a batch are."""
    knowledge.dataset(dataset_id)
    rows, _ = documents.search(dataset_id, limit=1000, batch=batch)
    if not rows:
        raise NotFound("Documents not found.")
    return {"data": [shapes.progress(row) for row in rows]}


@service.get("/datasets/<dataset_id>/documents/<document_id>", tag="documents")
def get_document(dataset_id: str, document_id: str, query: knowledge.Listing) -> dict[str, Any]:
    """Show a document; `metadata` is all, only or without."""
    dataset = knowledge.dataset(dataset_id)
    if query.metadata not in ("all", "only", "without"):
        raise BadRequest(f"Invalid metadata value: {query.metadata}", code="invalid_metadata")
    row = documents.get(dataset_id, document_id)
    shown = msgspec.to_builtins(shapes.document(row))
    if query.metadata == "only":
        return {"id": row["id"], "doc_type": row["doc_type"], "doc_metadata": shown["doc_metadata"]}
    count = shown["segment_count"]
    shown.update(
        data_source_info=shown.pop("data_source_detail_dict") or shown["data_source_info"],
        dataset_process_rule=dataset["process_rule"] or row["process_rule"], document_process_rule=row["process_rule"],
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
    knowledge.dataset(dataset_id)
    documents.delete(dataset_id, [document_id])


@service.get("/datasets/<dataset_id>/documents/<document_id>/download", tag="documents")
def download(dataset_id: str, document_id: str) -> dict[str, str]:
    """Return an address that downloads a document's original for a day, without the key."""
    return {"url": _address(_original(dataset_id, document_id)) + "&as_attachment=true"}


@service.get("/datasets/<dataset_id>/documents/<document_id>/upload-file", tag="documents")
def upload_file(dataset_id: str, document_id: str) -> dict[str, Any]:
    """Tell about a document's original, as releases of Dify before `download` did; its clients still ask here."""
    file = _original(dataset_id, document_id)
    url = _address(file)
    return {"id": file["id"], "name": file["name"], "size": file["size"], "extension": file["extension"], "url": url,
            "download_url": f"{url}&as_attachment=true", "mime_type": file["mime_type"],
            "created_by": account.identity(), "created_at": int(file["created_at"])}


def _original(dataset_id: str, document_id: str) -> Mapping[str, Any]:
    """Return the file a document was made from."""
    knowledge.dataset(dataset_id)
    file_id = documents.get(dataset_id, document_id)["file_id"]
    if not file_id:
        raise NotFound("Document file not found.")
    return files.get(file_id)


def _address(file: Mapping[str, Any]) -> str:
    return base_url() + filebox.signed_path(file["id"])


def _begin(dataset: dict[str, Any], body: TextBody) -> None:
    """Check what is asked of a new document, then set what the first one of a base settles; no file is stored yet."""
    if not dataset["indexing_technique"] and not body.indexing_technique:
        raise BadRequest("indexing_technique is required.", params="indexing_technique")
    datasets.check_embedding(body.embedding_model_provider, body.embedding_model, code="provider_not_initialize")
    datasets.fitted("retrieval_model", body.retrieval_model)
    body.process_rule = chunk.rules.fitted(body.process_rule)
    documents.check_new(dataset, body.doc_form, body.indexing_technique, body.process_rule)
    changes = {key: value for key, value in (("retrieval_model", body.retrieval_model),
                                             ("embedding_model", body.embedding_model),
                                             ("embedding_model_provider", body.embedding_model_provider)) if value}
    if changes and not dataset["indexing_technique"]:
        datasets.update(dataset["id"], changes)


def _check_again(row: dict[str, Any], body: TextBody) -> None:
    """Check what is asked of a document; its form stays, whichever is named."""
    if body.doc_form is not None and body.doc_form not in chunk.rules.DOC_FORMS:
        raise BadRequest(f"doc_form must be one of {', '.join(chunk.rules.DOC_FORMS)}.", params="doc_form")
    datasets.fitted("retrieval_model", body.retrieval_model)
    body.process_rule = chunk.rules.fitted(body.process_rule)
    documents.check_again(row, body.process_rule)


def _data(form: FileForm) -> TextBody:
    try:
        return msgspec.convert(with_canonical_ids(msgspec.json.decode(form.data or "{}")), TextBody, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadRequest(f"data: {error}", params="data") from None
