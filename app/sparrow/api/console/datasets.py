"""Knowledge bases in the console."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from flask import Response, request, send_file

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.web import OK, Page, Result
from sparrow.errors import BadRequest, NotFound
from sparrow.knowledge import capacity, chunk, datasets, documents, key, parse, segments, sources
from sparrow.knowledge.retrieve import retrieve
from sparrow.storage import files
from sparrow.tools.outbound import Client

PREVIEW_BLOCKS = 400  # of a long document, enough for a preview


class Keyword(Page, kw_only=True):
    """The query of a list that can be searched."""

    keyword: str = ""


class Datasets(msgspec.Struct):
    """A page of knowledge bases."""

    data: list[shapes.Dataset]
    has_more: bool
    limit: int
    page: int
    total: int


class Documents(msgspec.Struct):
    """A page of documents."""

    data: list[shapes.Document]
    has_more: bool
    limit: int
    page: int
    total: int


class Segments(msgspec.Struct):
    """A page of passages."""

    data: list[shapes.Segment]
    has_more: bool
    limit: int
    page: int
    total: int


class NewDataset(msgspec.Struct, kw_only=True):
    """What a new base may be given."""

    name: str
    description: str = ""
    indexing_technique: str | None = None
    embedding_model: str = ""
    embedding_model_provider: str = ""
    permission: str = "only_me"
    retrieval_model: dict[str, Any] | None = None
    doc_form: str | None = None


class DatasetChange(msgspec.Struct, kw_only=True):
    """What of a base may be changed; what is left out stays."""

    name: str | None = None
    description: str | None = None
    indexing_technique: str | None = None
    embedding_model: str | None = None
    embedding_model_provider: str | None = None
    permission: str | None = None
    retrieval_model: dict[str, Any] | None = None
    process_rule: dict[str, Any] | None = None
    enable_api: bool | None = None
    external_knowledge_api_id: str | None = None
    external_knowledge_id: str | None = None
    external_retrieval_model: dict[str, Any] | None = None


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


class EstimateRequest(msgspec.Struct, kw_only=True):
    """A file, and how it would be cut."""

    file_id: str
    process_rule: dict[str, Any] | None = None
    doc_form: str = "text_model"


class HitTest(msgspec.Struct, kw_only=True):
    """A question to try, with other settings than the base's if given."""

    query: str
    retrieval_model: dict[str, Any] | None = None


class NewSegments(msgspec.Struct):
    """Passages to add by hand."""

    segments: list[dict[str, Any]]


class SegmentChange(msgspec.Struct, kw_only=True):
    """What of a passage may be changed."""

    content: str | None = None
    answer: str | None = None
    keywords: list[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool = False


class Show(msgspec.Struct):
    """How an original is shown."""

    inline: bool = False


class Around(msgspec.Struct):
    """A passage, the ones beside it, and its document: what a citation opens."""

    segment: shapes.Segment
    before: list[shapes.Segment]
    after: list[shapes.Segment]
    document: shapes.Document
    dataset: dict[str, str]


@console.get("/datasets")
def list_datasets(query: Keyword) -> Datasets:
    """List the knowledge bases."""
    rows, total = datasets.search(page=query.page, limit=query.limit, keyword=query.keyword)
    return Datasets(shapes.dataset_list(rows), query.offset() + len(rows) < total, query.limit, query.page, total)


@console.post("/datasets", status=201)
def create_dataset(body: NewDataset) -> shapes.Dataset:
    """Create an empty knowledge base."""
    return shapes.dataset(datasets.create(**msgspec.structs.asdict(body)))


@console.post("/datasets/indexing-estimate")
def estimate(body: EstimateRequest) -> dict[str, Any]:
    """Show how a file would be cut, before it is indexed."""
    rule = chunk.rules.parse(body.process_rule, body.doc_form)
    row = files.get(body.file_id)
    events = parse.read(files.path(row["id"]), row["name"])
    blocks = list(islice((event for event in events if isinstance(event, parse.Block)), PREVIEW_BLOCKS + 1))
    events.close()
    found = chunk.preview(blocks[:PREVIEW_BLOCKS], rule, body.doc_form)
    memory = capacity.estimate(found["total_segments"])
    return {**found, "partial": len(blocks) > PREVIEW_BLOCKS, "memory": memory}


@console.get("/datasets/<dataset_id>")
def get_dataset(dataset_id: str) -> shapes.Dataset:
    """Show a knowledge base."""
    return shapes.dataset(datasets.get(dataset_id))


@console.patch("/datasets/<dataset_id>")
def change_dataset(dataset_id: str, body: DatasetChange) -> shapes.Dataset:
    """Change a knowledge base's settings."""
    changes = {key: value for key, value in msgspec.structs.asdict(body).items() if value is not None}
    return shapes.dataset(datasets.update(dataset_id, changes))


@console.delete("/datasets/<dataset_id>")
def delete_dataset(dataset_id: str) -> Result:
    """Delete a knowledge base with everything in it."""
    datasets.delete(dataset_id)
    return OK


@console.get("/datasets/<dataset_id>/statistics")
def dataset_statistics(dataset_id: str) -> dict[str, Any]:
    """Show what a knowledge base holds and how it is used."""
    return datasets.statistics(dataset_id)


@console.get("/datasets/<dataset_id>/queries")
def dataset_queries(dataset_id: str, query: Page) -> dict[str, Any]:
    """List the questions asked of a knowledge base lately."""
    datasets.get(dataset_id)
    rows, total = datasets.queries(dataset_id, page=query.page, limit=query.limit)
    for row in rows:
        row["created_at"] = int(row["created_at"])
    return {"data": rows, "has_more": query.offset() + len(rows) < total, "limit": query.limit, "page": query.page,
            "total": total}


@console.get("/datasets/<dataset_id>/related-apps")
def related_apps(dataset_id: str) -> dict[str, Any]:
    """List the apps that use a knowledge base."""
    datasets.get(dataset_id)
    found = datasets.apps_of(dataset_id)
    return {"data": [{"id": app_id} for app_id in found], "total": len(found)}


@console.post("/datasets/<dataset_id>/documents")
def add_documents(dataset_id: str, body: NewDocuments) -> Added:
    """Add uploaded files to a knowledge base and index them in the background."""
    given = msgspec.structs.asdict(body)
    info = {file_id: {"type": "website_crawl", "info": {"url": url, "provider": "sparrow"}}
            for file_id, url in given.pop("urls").items()}
    rows, batch = documents.add_files(dataset_id, **given, info=info)
    return Added(shapes.document_list(rows), batch)


@console.post("/datasets/<dataset_id>/documents/text")
def add_text(dataset_id: str, body: NewText) -> Added:
    """Add pasted text to a knowledge base."""
    row, batch = documents.add_text(dataset_id, **msgspec.structs.asdict(body))
    return Added([shapes.document(row)], batch)


@console.get("/datasets/<dataset_id>/documents")
def list_documents(dataset_id: str, query: Keyword) -> Documents:
    """List a knowledge base's documents, newest first."""
    datasets.get(dataset_id)
    rows, total = documents.search(dataset_id, page=query.page, limit=query.limit, keyword=query.keyword)
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
    """Fetch a document's address again and index what it gives now."""
    row = documents.get(dataset_id, document_id)
    url = (row["data_source_info"] or {}).get("url")
    if not url:
        raise BadRequest("Only documents that came from an address can be fetched again.")
    file, url, _ = sources.fetch(Client(), url)
    return shapes.document(documents.reindex(dataset_id, document_id, file_id=file["id"]))


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


@console.post("/datasets/<dataset_id>/hit-testing")
def hit_testing(dataset_id: str, body: HitTest) -> dict[str, Any]:
    """Try a question on a knowledge base."""
    from sparrow.knowledge.port import rerank

    row = datasets.get(dataset_id)
    found = retrieve(body.query, [row["id"]], body.retrieval_model, rerank=rerank, http=Client(), source="hit_testing")
    return {"query": {"content": body.query}, "records": [shapes.record(passage) for passage in found]}


class KeyName(msgspec.Struct):
    """The name of a new key."""

    name: str = ""


@console.get("/dataset-keys")
def list_dataset_keys() -> dict[str, Any]:
    """List the keys of the knowledge API."""
    return {"data": [{"id": row["id"], "name": row["name"], "token_masked": row["masked"],
                      "created_at": int(row["created_at"]),
                      "last_used_at": int(row["last_used_at"]) if row["last_used_at"] else None}
                     for row in key.find()]}


@console.post("/dataset-keys", status=201)
def create_dataset_key(body: KeyName) -> dict[str, str]:
    """Make a key of the knowledge API; it is shown this once."""
    row, token = key.create(body.name)
    return {"id": row["id"], "token": token}


@console.delete("/dataset-keys/<key_id>")
def delete_dataset_key(key_id: str) -> Result:
    """Delete a key of the knowledge API."""
    key.delete(key_id)
    return OK
