"""Metadata fields and tags of knowledge bases in the console."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.knowledge import datasets, fields


class NewField(msgspec.Struct):
    """A metadata field: type is string, number or time."""

    name: str
    type: str


class Name(msgspec.Struct):
    """A name."""

    name: str


class Values(msgspec.Struct):
    """Metadata of several documents."""

    operation_data: list[fields.DocumentMetadata]


class Tags(msgspec.Struct):
    """All tags a base is to carry, by name; unknown ones are made."""

    names: list[str]


@console.get("/datasets/<dataset_id>/metadata")
def list_fields(dataset_id: str) -> dict[str, Any]:
    """List a base's metadata fields."""
    return {**fields.describe(datasets.get(dataset_id)), "built_in": fields.built_in_fields()}


@console.post("/datasets/<dataset_id>/metadata", status=201)
def create_field(dataset_id: str, body: NewField) -> dict[str, Any]:
    """Add a metadata field."""
    datasets.get(dataset_id)
    return fields.create_field(dataset_id, body.name, body.type)


@console.patch("/datasets/<dataset_id>/metadata/<field_id>")
def rename_field(dataset_id: str, field_id: str, body: Name) -> dict[str, Any]:
    """Rename a metadata field, in all documents too."""
    return fields.rename_field(dataset_id, field_id, body.name)


@console.delete("/datasets/<dataset_id>/metadata/<field_id>")
def delete_field(dataset_id: str, field_id: str) -> Result:
    """Delete a metadata field and its values."""
    fields.delete_field(dataset_id, field_id)
    return OK


@console.post("/datasets/<dataset_id>/metadata/built-in/<action>")
def built_in(dataset_id: str, action: str) -> Result:
    """Enable or disable the built-in fields."""
    datasets.get(dataset_id)
    fields.switch_built_in(dataset_id, action)
    return OK


@console.post("/datasets/<dataset_id>/documents/metadata")
def set_values(dataset_id: str, body: Values) -> Result:
    """Set the metadata of several documents."""
    datasets.get(dataset_id)
    fields.set_values(dataset_id, body.operation_data)
    return OK


@console.get("/dataset-tags")
def list_tags() -> dict[str, Any]:
    """List the tags of bases with the number of bases that carry each."""
    return {"data": fields.tags()}


@console.patch("/dataset-tags/<tag_id>")
def rename_tag(tag_id: str, body: Name) -> dict[str, Any]:
    """Rename a tag."""
    return fields.rename_tag(tag_id, body.name)


@console.delete("/dataset-tags/<tag_id>")
def delete_tag(tag_id: str) -> Result:
    """Take a tag off all bases and delete it."""
    fields.delete_tag(tag_id)
    return OK


@console.put("/datasets/<dataset_id>/tags")
def set_tags(dataset_id: str, body: Tags) -> dict[str, Any]:
    """Give a base exactly these tags."""
    row = datasets.get(dataset_id)
    wanted = list(dict.fromkeys(name.strip() for name in body.names))
    known = {tag["name"]: tag["id"] for tag in fields.tags()}
    chosen = [known.get(name) or fields.create_tag(name)["id"] for name in wanted]
    present = [tag["id"] for tag in datasets.facts([row])[dataset_id]["tags"]]
    fields.bind([tag_id for tag_id in present if tag_id not in chosen], dataset_id, on=False)
    fields.bind([tag_id for tag_id in chosen if tag_id not in present], dataset_id, on=True)
    return {"tags": datasets.facts([row])[dataset_id]["tags"]}
