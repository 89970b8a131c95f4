"""Metadata fields and tags of knowledge bases in the service API."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api.service import knowledge, service
from sparrow.errors import BadRequest
from sparrow.knowledge import datasets, fields


class FieldBody(msgspec.Struct):
    """A new metadata field."""

    name: str
    type: str


class MetadataBody(msgspec.Struct):
    """Metadata of several documents."""

    operation_data: list[fields.DocumentMetadata]


class TagBody(msgspec.Struct):
    """A tag to rename or delete."""

    tag_id: str
    name: str | None = None


class BindingBody(msgspec.Struct):
    """Tags and the base they go on."""

    tag_ids: list[str]
    target_id: str


class UnbindingBody(msgspec.Struct, kw_only=True):
    """Tags (or one) and the base they come off."""

    target_id: str
    tag_ids: list[str] | None = None
    tag_id: str | None = None


@service.get("/datasets/tags", tag="tags")
def list_tags() -> list[dict[str, Any]]:
    """List the tags."""
    return fields.tags()


@service.post("/datasets/tags", tag="tags")
def create_tag(body: knowledge.NameBody) -> dict[str, Any]:
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
    if not body.tag_ids:
        raise BadRequest("Tag IDs is required.", params="tag_ids")
    fields.bind(body.tag_ids, knowledge.dataset(body.target_id)["id"], on=True)


@service.post("/datasets/tags/unbinding", tag="tags", status=204)
def unbind_tags(body: UnbindingBody) -> None:
    """Take tags off a base."""
    chosen = [*(body.tag_ids or []), *([body.tag_id] if body.tag_id else [])]
    if not chosen:
        raise BadRequest("Tag IDs is required.", params="tag_ids")
    fields.bind(chosen, knowledge.dataset(body.target_id)["id"], on=False)


@service.get("/datasets/<dataset_id>/tags", tag="tags")
def dataset_tags(dataset_id: str) -> dict[str, Any]:
    """List the tags of a base."""
    row = knowledge.dataset(dataset_id)
    found = [{"id": tag["id"], "name": tag["name"]} for tag in datasets.facts([row])[row["id"]]["tags"]]
    return {"data": found, "total": len(found)}


@service.post("/datasets/<dataset_id>/documents/metadata", tag="metadata")
def set_metadata(dataset_id: str, body: MetadataBody) -> dict[str, str]:
    """Set the metadata of documents."""
    knowledge.dataset(dataset_id)
    fields.set_values(dataset_id, body.operation_data)
    return {"result": "success"}


@service.get("/datasets/<dataset_id>/metadata", tag="metadata")
def list_metadata(dataset_id: str) -> dict[str, Any]:
    """List a base's metadata fields."""
    return fields.describe(knowledge.dataset(dataset_id))


@service.post("/datasets/<dataset_id>/metadata", tag="metadata", status=201)
def create_metadata(dataset_id: str, body: FieldBody) -> dict[str, Any]:
    """Add a metadata field."""
    knowledge.dataset(dataset_id)
    return fields.create_field(dataset_id, body.name, body.type)


@service.get("/datasets/<dataset_id>/metadata/built-in", tag="metadata")
def list_built_in(dataset_id: str) -> dict[str, Any]:
    """List the built-in metadata fields."""
    knowledge.dataset(dataset_id)
    return {"fields": fields.built_in_fields()}


@service.get("/datasets/metadata/built-in", tag="metadata")
def list_built_in_of_any() -> dict[str, Any]:
    """List the built-in metadata fields where Dify's first releases with metadata had them."""
    return {"fields": fields.built_in_fields()}


@service.post("/datasets/<dataset_id>/metadata/built-in/<action>", tag="metadata")
def switch_built_in(dataset_id: str, action: str) -> dict[str, str]:
    """Enable or disable the built-in metadata fields."""
    knowledge.dataset(dataset_id)
    fields.switch_built_in(dataset_id, action)
    return {"result": "success"}


@service.patch("/datasets/<dataset_id>/metadata/<metadata_id>", tag="metadata")
def rename_metadata(dataset_id: str, metadata_id: str, body: knowledge.NameBody) -> dict[str, Any]:
    """Rename a metadata field."""
    knowledge.dataset(dataset_id)
    return fields.rename_field(dataset_id, metadata_id, body.name)


@service.delete("/datasets/<dataset_id>/metadata/<metadata_id>", tag="metadata", status=204)
def delete_metadata(dataset_id: str, metadata_id: str) -> None:
    """Delete a metadata field."""
    knowledge.dataset(dataset_id)
    fields.delete_field(dataset_id, metadata_id)
