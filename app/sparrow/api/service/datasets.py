"""Knowledge bases in the service API: what Dify's clients call with a knowledge key."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.service import knowledge, service
from sparrow.errors import BadRequest
from sparrow.knowledge import attachments, datasets
from sparrow.knowledge.embed import EmbedderError
from sparrow.knowledge.port import rerank
from sparrow.knowledge.retrieve import retrieve
from sparrow.tools.outbound import Client

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


class RetrieveBody(msgspec.Struct, kw_only=True):
    """A question: its text, images that a model with vision reads, or both."""

    query: str = ""
    retrieval_model: dict[str, Any] | None = None
    external_retrieval_model: dict[str, Any] | None = None
    attachment_ids: list[str] | None = None


@service.get("/datasets")
def list_datasets(query: knowledge.Listing) -> dict[str, Any]:
    """List the bases."""
    tags = [query.tag_ids] if isinstance(query.tag_ids, str) else query.tag_ids
    rows, total = datasets.search(**query.bounds(), keyword=query.keyword or "", tag_ids=tags)
    return knowledge.page(shapes.dataset_list(rows), total, query)


@service.post("/datasets")
def create_dataset(body: DatasetBody) -> shapes.Dataset:
    """Create an empty base."""
    given = {key: value for key, value in msgspec.structs.asdict(body).items()
             if value is not None and key != "partial_member_list"}
    if "name" not in given:
        raise BadRequest("name is required.", params="name")
    datasets.check_embedding(body.embedding_model_provider, body.embedding_model)
    return shapes.dataset(datasets.create(**given))


@service.get("/datasets/<dataset_id>")
def get_dataset(dataset_id: str) -> shapes.Dataset:
    """Show a base."""
    return shapes.dataset(knowledge.dataset(dataset_id))


@service.patch("/datasets/<dataset_id>")
def change_dataset(dataset_id: str, body: DatasetBody) -> shapes.Dataset:
    """Change a base."""
    knowledge.dataset(dataset_id)
    datasets.check_embedding(body.embedding_model_provider, body.embedding_model)
    return shapes.dataset(datasets.update(dataset_id, {
        key: value for key, value in msgspec.structs.asdict(body).items() if value is not None}))


@service.delete("/datasets/<dataset_id>", status=204)
def delete_dataset(dataset_id: str) -> None:
    """Delete a base."""
    knowledge.dataset(dataset_id)
    datasets.delete(dataset_id)


def find_passages(dataset_id: str, body: RetrieveBody) -> dict[str, Any]:
    """Return the passages of a base that answer a question."""
    row = knowledge.dataset(dataset_id)
    if len(body.query) > MAX_QUERY:
        raise BadRequest(f"Query is too long: the limit is {MAX_QUERY} characters.", params="query")
    settings = datasets.fitted("retrieval_model", body.retrieval_model)
    datasets.fitted("external_retrieval_model", body.external_retrieval_model)
    query = attachments.question(body.query, body.attachment_ids)
    try:
        found = retrieve(query, [row["id"]], settings, rerank=rerank, http=Client(), source="api")
    except EmbedderError as error:
        if error.code == EmbedderError.code:
            error.code = "completion_request_error"
        raise
    return {"query": {"content": query}, "records": [shapes.record(passage) for passage in found]}


for _path in ("/datasets/<dataset_id>/retrieve", "/datasets/<dataset_id>/hit-testing"):
    service.post(_path)(find_passages)
