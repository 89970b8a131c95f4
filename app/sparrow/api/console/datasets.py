"""Knowledge bases in the console."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api import knowledge_shapes as shapes
from sparrow.api.console import console
from sparrow.api.console.models import Chosen
from sparrow.api.web import OK, Page, Result
from sparrow.apps import app as apps
from sparrow.errors import BadRequest
from sparrow.knowledge import attachments, capacity, datasets, ocr, reindex, statistics
from sparrow.knowledge.port import rerank
from sparrow.knowledge.retrieve import retrieve
from sparrow.tools.outbound import Client


class Keyword(Page, kw_only=True):
    """The query of a list that can be searched."""

    keyword: str = ""


class DatasetQuery(Keyword, kw_only=True):
    """The query of the list of bases; `tag_ids` names tags, separated by commas."""

    tag_ids: str = ""


class Datasets(msgspec.Struct):
    """A page of knowledge bases."""

    data: list[shapes.Dataset]
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
    summary_index_setting: dict[str, Any] | None = None


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
    summary_index_setting: dict[str, Any] | None = None
    enable_api: bool | None = None
    external_knowledge_api_id: str | None = None
    external_knowledge_id: str | None = None
    external_retrieval_model: dict[str, Any] | None = None


class KnowledgeSettings(msgspec.Struct):
    """What holds for all knowledge bases. `ocr_model` is the vision model that reads scanned pages, null for none."""

    ocr_model: Chosen | None


class HitTest(msgspec.Struct, kw_only=True):
    """A question to try, with other settings than the base's if given; images of it are read by a model with vision."""

    query: str = ""
    retrieval_model: dict[str, Any] | None = None
    attachment_ids: list[str] | None = None


@console.get("/datasets")
def list_datasets(query: DatasetQuery) -> Datasets:
    """List the knowledge bases."""
    rows, total = datasets.search(page=query.page, limit=query.limit, keyword=query.keyword,
                                  tag_ids=[one for one in query.tag_ids.split(",") if one] or None)
    return Datasets(shapes.dataset_list(rows), query.offset() + len(rows) < total, query.limit, query.page, total)


@console.post("/datasets", status=201)
def create_dataset(body: NewDataset) -> shapes.Dataset:
    """Create an empty knowledge base."""
    datasets.check_embedding(body.embedding_model_provider, body.embedding_model, code="provider_not_initialize")
    return shapes.dataset(datasets.create(**msgspec.structs.asdict(body)))


@console.get("/datasets/settings")
def knowledge_settings() -> KnowledgeSettings:
    """Show what holds for all knowledge bases."""
    return KnowledgeSettings(msgspec.convert(ocr.model(), Chosen | None))


@console.put("/datasets/settings")
def change_knowledge_settings(body: KnowledgeSettings) -> KnowledgeSettings:
    """Choose the model that reads scanned pages; null for none.

    400 `model_currently_not_support` for a model without vision, `provider_not_initialize` for one that is not set up.
    """
    chosen = body.ocr_model or Chosen("", "")
    return KnowledgeSettings(msgspec.convert(ocr.choose(chosen.provider, chosen.model), Chosen | None))


@console.get("/datasets/<dataset_id>")
def get_dataset(dataset_id: str) -> shapes.Dataset:
    """Show a knowledge base."""
    return shapes.dataset(datasets.get(dataset_id))


@console.patch("/datasets/<dataset_id>")
def change_dataset(dataset_id: str, body: DatasetChange) -> shapes.Dataset:
    """Change a knowledge base's settings."""
    datasets.check_embedding(body.embedding_model_provider, body.embedding_model, code="provider_not_initialize")
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
    return statistics.of(dataset_id)


@console.get("/datasets/<dataset_id>/queries")
def dataset_queries(dataset_id: str, query: Page) -> dict[str, Any]:
    """List the questions asked of a knowledge base lately."""
    datasets.get(dataset_id)
    rows, total = statistics.queries(dataset_id, page=query.page, limit=query.limit)
    for row in rows:
        row["created_at"] = int(row["created_at"])
    return {"data": rows, "has_more": query.offset() + len(rows) < total, "limit": query.limit, "page": query.page,
            "total": total}


@console.get("/datasets/<dataset_id>/related-apps")
def related_apps(dataset_id: str) -> dict[str, Any]:
    """List the apps that use a knowledge base."""
    datasets.get(dataset_id)
    found = [apps.get(app_id) for app_id in datasets.apps_of(dataset_id)]
    return {"data": [{"id": row.id, "name": row.name, "mode": row.mode} for row in found], "total": len(found)}


@console.get("/datasets/<dataset_id>/reindex")
def reindex_state(dataset_id: str) -> dict[str, Any]:
    """Show how far the change to another embedding model is; `reindex` is null when there is none."""
    return {"reindex": reindex.state(dataset_id)}


@console.post("/datasets/<dataset_id>/reindex")
def retry_reindex(dataset_id: str) -> dict[str, Any]:
    """Go on with a change of the embedding model that failed."""
    if reindex.state(dataset_id) is None:
        raise BadRequest("No other embedding model is wanted.", code="invalid_action")
    reindex.submit(dataset_id)
    return {"reindex": reindex.state(dataset_id)}


@console.delete("/datasets/<dataset_id>/reindex")
def stop_reindex(dataset_id: str) -> Result:
    """Keep the present embedding model."""
    datasets.get(dataset_id)
    reindex.stop(dataset_id)
    return OK


@console.get("/datasets/<dataset_id>/capacity")
def index_capacity(dataset_id: str) -> dict[str, Any]:
    """Show the memory of the index now, its limit, and what 10,000 passages more take, in bytes."""
    return capacity.estimate(0, datasets.get(dataset_id)["embedding_dimension"] or 512)


@console.post("/datasets/<dataset_id>/hit-testing")
def hit_testing(dataset_id: str, body: HitTest) -> dict[str, Any]:
    """Try a question on a knowledge base."""
    row = datasets.get(dataset_id)
    query = attachments.question(body.query, body.attachment_ids)
    found = retrieve(query, [row["id"]], body.retrieval_model, rerank=rerank, http=Client(), source="hit_testing")
    return {"query": {"content": query}, "records": [shapes.record(passage) for passage in found]}
