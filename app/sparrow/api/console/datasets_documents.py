"""Documents of knowledge bases in the console."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from flask import Response, send_file

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.console.datasets import Keyword
from sparrow.api.console.models import Chosen
from sparrow.api.web import OK, Result
from sparrow.errors import BadRequest, NotFound
from sparrow.knowledge import (
    capacity,
    chunk,
    crawl,
    datasets,
    documents,
    forecast,
    indexing,
    ocr,
    parse,
    summaries,
    web,
)
from sparrow.messages import ModelError
from sparrow.storage import files
from sparrow.tools.outbound import Client

PREVIEW_BLOCKS = 400  # of a long document, enough for a preview
PREVIEW_ASKED = 6  # where a model is asked for each chunk


class Documents(msgspec.Struct):
    """A page of documents."""

    data: list[shapes.Document]
    has_more: bool
    limit: int
    page: int
    total: int


class DocumentQuery(Keyword, kw_only=True):
    """The query of the list of documents: a state as it is shown, and a column, after a minus the largest first."""

    status: str | None = None
    sort: str = "-created_at"


class NewDocuments(msgspec.Struct, kw_only=True):
    """Uploaded files to add, and how to cut them."""

    file_ids: list[str]
    urls: dict[str, str] = {}  # the addresses of those files that were fetched
    process_rule: dict[str, Any] | None = None
    doc_form: str | None = None
    doc_language: str = "English"
    indexing_technique: str | None = None


class NewText(msgspec.Struct, kw_only=True):
    """Pasted text to add."""

    name: str
    text: str
    process_rule: dict[str, Any] | None = None
    doc_form: str | None = None
    doc_language: str = "English"


class Added(msgspec.Struct):
    """Documents that are queued."""

    documents: list[shapes.Document]
    batch: str


class DocumentChange(msgspec.Struct, kw_only=True):
    """A new name, or a new way of cutting the document."""

    name: str | None = None
    process_rule: dict[str, Any] | None = None


class Bulk(msgspec.Struct):
    """Documents to act on."""

    document_ids: list[str]


class Rechunk(msgspec.Struct):
    """Documents to cut anew, and how."""

    document_ids: list[str]
    process_rule: dict[str, Any]


class Summarise(msgspec.Struct, kw_only=True):
    """Documents whose passages get summaries; `again`: also those that have one."""

    document_list: list[str]
    again: bool = False


class SummaryEstimate(msgspec.Struct):
    """What it concerns: passages without a summary and with one, their characters, and the model."""

    passages: int
    characters: int
    written: int
    written_characters: int
    model: Chosen


class EstimateRequest(msgspec.Struct, kw_only=True):
    """An uploaded file or a document of a base, and how it would be cut."""

    file_id: str = ""
    dataset_id: str = ""
    document_id: str = ""
    doc_language: str = "English"
    process_rule: dict[str, Any] | None = None
    doc_form: str = "text_model"


class ImportRequest(msgspec.Struct, kw_only=True):
    """Uploaded files that are about to be added, how they would be cut, and the base if there is one already."""

    file_ids: list[str]
    dataset_id: str = ""
    process_rule: dict[str, Any] | None = None
    doc_form: str = "text_model"
    indexing_technique: str | None = None


class ImportMemory(msgspec.Struct):
    """The memory of the index of all bases, in bytes: now, after the import, what it may take, what 10,000 vectors
    take. `vectors` are there now."""

    vectors: int
    bytes_now: int
    bytes_after: int
    bytes_limit: int
    bytes_per_10k: int
    fits: bool


class ImportEstimate(msgspec.Struct):
    """What files will make. `exact` says that all were read to their end; `message` why the import would be refused."""

    files: list[forecast.Forecast]
    passages: int
    vectors: int
    exact: bool
    memory: ImportMemory
    message: str | None = None


class Show(msgspec.Struct):
    """How an original is shown."""

    inline: bool = False


@console.post("/datasets/indexing-estimate")
def estimate(body: EstimateRequest) -> dict[str, Any]:
    """Show how a file would be cut, before it is indexed."""
    rule = chunk.rules.parse(body.process_rule, body.doc_form)
    row = files.get(body.file_id or documents.get(body.dataset_id, body.document_id)["file_id"] or "")
    events = parse.read(files.path(row["id"]), row["name"])
    reader = ocr.model()
    try:
        blocks = list(islice((event for event in events if isinstance(event, parse.Block)), PREVIEW_BLOCKS + 1))
    except parse.ParseError as error:
        if error.code not in ("no_text", "picture_unread") or reader is None:
            raise
        raise BadRequest(f"There is no text to preview yet. If these are scanned pages, {reader['model']} reads them "
                         "while the file is indexed.", code="no_text") from error
    finally:
        events.close()
    shown = blocks[:PREVIEW_BLOCKS]
    try:
        found = chunk.preview(shown, rule, body.doc_form)
    except BadRequest as error:
        ask = indexing.asker() if error.code == "model_needed" else None
        if ask is None:
            raise
        shown = blocks[:PREVIEW_ASKED]
        try:
            found = chunk.preview(shown, rule, body.doc_form, ask=ask, language=body.doc_language)
        except ModelError as failed:
            raise BadRequest(f"The model failed: {failed}", code="completion_request_error") from failed
    memory = capacity.estimate(found["total_segments"])
    return {**found, "partial": len(blocks) > len(shown), "memory": memory}


@console.post("/datasets/import-estimate")
def import_estimate(body: ImportRequest) -> ImportEstimate:
    """Tell how many passages files will make and whether their index fits into the memory, before they are imported.

    Takes up to ten seconds: long files are judged by a part of them, and many by some.
    """
    dimension, technique, summed = 512, body.indexing_technique, False
    if body.dataset_id:
        row = datasets.get(body.dataset_id)
        dimension, technique = row["embedding_dimension"] or 512, row["indexing_technique"] or technique
        summed = summaries.wanted(row, body.doc_form)
    found = forecast.of_files(body.file_ids, body.process_rule, body.doc_form)
    vectors = 0 if technique == "economy" else sum(one.vectors + one.passages * summed for one in found)
    facts = capacity.estimate(vectors, dimension)
    error = capacity.refusal(facts, vectors) if vectors else None
    return ImportEstimate(found, sum(one.passages for one in found), vectors, all(one.exact for one in found),
                          ImportMemory(**facts), error.message if error else None)


@console.post("/datasets/<dataset_id>/documents")
def add_documents(dataset_id: str, body: NewDocuments) -> Added:
    """Add uploaded files to a knowledge base and index them in the background."""
    given = msgspec.structs.asdict(body)
    urls = given.pop("urls")
    origin = crawl.origin(list(urls))
    info = {file_id: {"type": "website_crawl", "info": {"url": url, "provider": "sparrow", **origin.get(file_id, {})}}
            for file_id, url in urls.items()}
    rows, batch = documents.add_files(dataset_id, **given, info=info)
    return Added(shapes.document_list(rows), batch)


@console.post("/datasets/<dataset_id>/documents/text")
def add_text(dataset_id: str, body: NewText) -> Added:
    """Add pasted text to a knowledge base."""
    row, batch = documents.add_text(dataset_id, **msgspec.structs.asdict(body))
    return Added([shapes.document(row)], batch)


@console.get("/datasets/<dataset_id>/documents")
def list_documents(dataset_id: str, query: DocumentQuery) -> Documents:
    """List a knowledge base's documents, newest first unless told otherwise."""
    datasets.get(dataset_id)
    rows, total = documents.search(dataset_id, page=query.page, limit=query.limit, keyword=query.keyword,
                                   status=query.status, sort=query.sort)
    return Documents(shapes.document_list(rows), query.offset() + len(rows) < total, query.limit, query.page, total)


@console.get("/datasets/<dataset_id>/indexing-status")
def indexing_status(dataset_id: str) -> Documents:
    """List the documents that are not finished."""
    datasets.get(dataset_id)
    rows, total = documents.search(dataset_id, limit=100, unfinished=True)
    return Documents(shapes.document_list(rows), len(rows) < total, 100, 1, total)


@console.post("/datasets/<dataset_id>/documents/status/<action>")
def set_status(dataset_id: str, action: str, body: Bulk) -> Result:
    """Enable, disable, archive or un_archive documents."""
    documents.set_status(dataset_id, body.document_ids, action)
    return OK


@console.post("/datasets/<dataset_id>/documents/rechunk")
def rechunk(dataset_id: str, body: Rechunk) -> Result:
    """Cut several documents anew by another rule."""
    documents.rechunk(dataset_id, body.document_ids, body.process_rule)
    return OK


@console.post("/datasets/<dataset_id>/documents/retry")
def retry_failed(dataset_id: str) -> dict[str, int]:
    """Try all failed documents of a base again."""
    datasets.get(dataset_id)
    return {"retried": documents.retry_failed(dataset_id)}


@console.post("/datasets/<dataset_id>/documents/summary-estimate")
def summary_estimate(dataset_id: str, body: Summarise) -> SummaryEstimate:
    """Tell how many passages the writing of summaries concerns, before it begins."""
    datasets.get(dataset_id)
    return msgspec.convert(summaries.estimate(dataset_id, body.document_list), SummaryEstimate)


@console.post("/datasets/<dataset_id>/documents/generate-summary")
def generate_summary(dataset_id: str, body: Summarise) -> Result:
    """Have a model write the summaries of documents in the background.

    400 `provider_not_initialize` where no chat model is set up.
    """
    datasets.get(dataset_id)
    summaries.write(dataset_id, body.document_list, again=body.again)
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/summary/<action>")
def control_summaries(dataset_id: str, document_id: str, action: str) -> Result:
    """Pause, resume, cancel or retry the writing of a document's summaries."""
    summaries.control(dataset_id, document_id, action)
    return OK


@console.post("/datasets/<dataset_id>/documents/delete")
def delete_documents(dataset_id: str, body: Bulk) -> Result:
    """Delete several documents."""
    documents.delete(dataset_id, body.document_ids)
    return OK


@console.get("/datasets/<dataset_id>/documents/<document_id>")
def get_document(dataset_id: str, document_id: str) -> shapes.Document:
    """Show a document."""
    return shapes.document(documents.get(dataset_id, document_id))


@console.patch("/datasets/<dataset_id>/documents/<document_id>")
def change_document(dataset_id: str, document_id: str, body: DocumentChange) -> shapes.Document:
    """Rename a document, or cut it anew by another rule."""
    row = documents.rename(dataset_id, document_id, body.name) if body.name else documents.get(dataset_id, document_id)
    if body.process_rule:
        row = documents.reindex(dataset_id, document_id, process_rule=body.process_rule)
    return shapes.document(row)


@console.delete("/datasets/<dataset_id>/documents/<document_id>")
def delete_document(dataset_id: str, document_id: str) -> Result:
    """Delete a document with everything made from it."""
    documents.delete(dataset_id, [document_id])
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/pause")
def pause(dataset_id: str, document_id: str) -> Result:
    """Pause the indexing of a document."""
    documents.pause(dataset_id, document_id)
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/resume")
def resume(dataset_id: str, document_id: str) -> Result:
    """Go on with a paused document."""
    documents.resume(dataset_id, document_id)
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/cancel")
def cancel(dataset_id: str, document_id: str) -> Result:
    """Stop the indexing of a document."""
    documents.cancel(dataset_id, document_id)
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/retry")
def retry(dataset_id: str, document_id: str) -> Result:
    """Try a failed document again."""
    documents.retry(dataset_id, document_id)
    return OK


@console.post("/datasets/<dataset_id>/documents/<document_id>/sync")
def sync_document(dataset_id: str, document_id: str) -> shapes.Document:
    """Fetch a document's address again and index it anew if it says something else now."""
    return shapes.document(web.sync(Client(), dataset_id, document_id))


@console.get("/datasets/<dataset_id>/documents/<document_id>/download")
def download(dataset_id: str, document_id: str, query: Show) -> Response:
    """Download the original of a document; `inline` opens a PDF in the browser, at `#page=N`."""
    row = documents.get(dataset_id, document_id)
    if not row["file_id"]:
        raise NotFound("The document has no file.")
    file = files.get(row["file_id"])
    inline = query.inline and file["extension"] == "pdf"
    return send_file(files.path(file["id"]), mimetype="application/pdf" if inline else file["mime_type"],
                     as_attachment=not inline, download_name=file["name"])
