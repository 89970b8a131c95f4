"""Metadata fields of a base and tags of bases."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from . import documents
from .retrieve.filters import BUILT_IN

TYPES = ("string", "number", "time")
BUILT_IN_TYPES = {"document_name": "string", "uploader": "string", "upload_date": "time",
                  "last_update_date": "time", "source": "string"}


class MetadataValue(msgspec.Struct):
    """A field's value of a document."""

    id: str
    name: str
    value: str | int | float | bool | None = None


class DocumentMetadata(msgspec.Struct):
    """What to set of a document; a partial update leaves the other fields as they are."""

    document_id: str
    metadata_list: list[MetadataValue]
    partial_update: bool = False


def describe(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return a base's metadata as Dify lists it: its fields, and whether the built-in ones are on."""
    return {"doc_metadata": list_fields(dataset["id"]), "built_in_field_enabled": dataset["built_in_field_enabled"]}


def built_in_fields() -> list[dict[str, str]]:
    """Return the fields every document has: {name, type}."""
    return [{"name": name, "type": kind} for name, kind in BUILT_IN_TYPES.items()]


def list_fields(dataset_id: str) -> list[dict[str, Any]]:
    """Return a base's fields with the number of documents that have a value."""
    f = t.metadata_fields
    with db.read() as tx:
        rows = tx.execute(f.select().where(f.c.dataset_id == dataset_id).order_by(f.c.created_at)).mappings().all()
        values = list(tx.execute(sa.select(t.documents.c.doc_metadata).where(
            t.documents.c.dataset_id == dataset_id)).scalars())
    return [{"id": row["id"], "name": row["name"], "type": row["type"],
             "count": sum(1 for value in values if value and row["name"] in value)} for row in rows]


def create_field(dataset_id: str, name: str, kind: str) -> dict[str, Any]:
    """Add a field; raise BadRequest for a bad or taken name."""
    if kind not in TYPES:
        raise BadRequest(f"type must be one of {', '.join(TYPES)}.", params="type")
    row = {"id": ids.new_id(), "dataset_id": dataset_id, "name": _name(name), "type": kind,
           "created_at": clock.now(), "updated_at": clock.now()}
    try:
        with db.write() as tx:
            tx.execute(t.metadata_fields.insert(), row)
    except sa.exc.IntegrityError as error:
        raise BadRequest("Metadata name already exists.", params="name") from error
    return {"id": row["id"], "name": row["name"], "type": kind}


def rename_field(dataset_id: str, field_id: str, name: str) -> dict[str, Any]:
    """Give a field another name, in all documents too."""
    row, name = _field(dataset_id, field_id), _name(name)
    try:
        with db.write() as tx:
            tx.execute(t.metadata_fields.update().where(t.metadata_fields.c.id == field_id).values(
                name=name, updated_at=clock.now()))
            _rewrite(tx, dataset_id, row["name"], name)
    except sa.exc.IntegrityError as error:
        raise BadRequest("Metadata name already exists.", params="name") from error
    return {"id": field_id, "name": name, "type": row["type"]}


def delete_field(dataset_id: str, field_id: str) -> None:
    """Delete a field and its values."""
    row = _field(dataset_id, field_id)
    with db.write() as tx:
        tx.execute(t.metadata_fields.delete().where(t.metadata_fields.c.id == field_id))
        _rewrite(tx, dataset_id, row["name"], None)


def switch_built_in(dataset_id: str, action: str) -> None:
    """Switch the built-in fields of a base on or off; `action` is enable or disable."""
    if action not in ("enable", "disable"):
        raise BadRequest("action must be enable or disable.", params="action")
    enabled = action == "enable"
    with db.write() as tx:
        tx.execute(t.datasets.update().where(t.datasets.c.id == dataset_id).values(built_in_field_enabled=enabled))


def set_values(dataset_id: str, operations: list[DocumentMetadata]) -> None:
    """Set documents' metadata."""
    known = {field["id"]: field for field in list_fields(dataset_id)}
    changes: dict[str, dict[str, Any]] = {}
    for operation in operations:
        row = documents.get(dataset_id, operation.document_id)
        values = dict(row["doc_metadata"] or {}) if operation.partial_update else {}
        for entry in operation.metadata_list:
            field = known.get(entry.id)
            if field is None:
                if entry.name in BUILT_IN:
                    continue
                raise NotFound("Metadata not found.")
            values[field["name"]] = entry.value
        changes[row["id"]] = values
    with db.write() as tx:
        for document_id, values in changes.items():
            tx.execute(t.documents.update().where(t.documents.c.id == document_id).values(
                doc_metadata=values or None, updated_at=clock.now()))


def tags() -> list[dict[str, Any]]:
    """Return all tags with the number of bases that carry them."""
    b = t.dataset_tag_bindings
    with db.read() as tx:
        counts = dict(tx.execute(sa.select(b.c.tag_id, sa.func.count()).group_by(b.c.tag_id)).all())
        rows = tx.execute(t.dataset_tags.select().order_by(t.dataset_tags.c.name)).mappings().all()
    return [_tag(row, counts.get(row["id"], 0)) for row in rows]


def create_tag(name: str) -> dict[str, Any]:
    """Make a tag."""
    row = {"id": ids.new_id(), "name": _tag_name(name), "created_at": clock.now()}
    try:
        with db.write() as tx:
            tx.execute(t.dataset_tags.insert(), row)
    except sa.exc.IntegrityError as error:
        raise BadRequest("Tag name already exists.", params="name") from error
    return _tag(row, 0)


def rename_tag(tag_id: str, name: str) -> dict[str, Any]:
    """Give a tag another name."""
    try:
        with db.write() as tx:
            if not tx.execute(t.dataset_tags.update().where(t.dataset_tags.c.id == tag_id)
                              .values(name=_tag_name(name))).rowcount:
                raise NotFound("Tag not found.")
    except sa.exc.IntegrityError as error:
        raise BadRequest("Tag name already exists.", params="name") from error
    return next(tag for tag in tags() if tag["id"] == tag_id)


def delete_tag(tag_id: str) -> None:
    """Delete a tag from all bases."""
    with db.write() as tx:
        tx.execute(t.dataset_tag_bindings.delete().where(t.dataset_tag_bindings.c.tag_id == tag_id))
        if not tx.execute(t.dataset_tags.delete().where(t.dataset_tags.c.id == tag_id)).rowcount:
            raise NotFound("Tag not found.")


def bind(tag_ids: list[str], dataset_id: str, *, on: bool) -> None:
    """Put tags on a base, or take them off."""
    known = {tag["id"] for tag in tags()}
    if any(tag_id not in known for tag_id in tag_ids):
        raise NotFound("Tag not found.")
    b = t.dataset_tag_bindings
    with db.write() as tx:
        tx.execute(b.delete().where(b.c.dataset_id == dataset_id, b.c.tag_id.in_(tag_ids)))
        if on and tag_ids:
            tx.execute(b.insert(), [{"tag_id": tag_id, "dataset_id": dataset_id, "created_at": clock.now()}
                                    for tag_id in dict.fromkeys(tag_ids)])


def _field(dataset_id: str, field_id: str):
    f = t.metadata_fields.c
    with db.read() as tx:
        row = tx.execute(t.metadata_fields.select().where(
            f.id == field_id, f.dataset_id == dataset_id)).mappings().first()
    if row is None:
        raise NotFound("Metadata not found.")
    return row


def _rewrite(tx, dataset_id: str, old: str, new: str | None) -> None:
    d = t.documents.c
    for document_id, values in tx.execute(sa.select(d.id, d.doc_metadata).where(
            d.dataset_id == dataset_id, d.doc_metadata.is_not(None))).all():
        if old in values:
            value = values.pop(old)
            if new:
                values[new] = value
            tx.execute(t.documents.update().where(d.id == document_id).values(doc_metadata=values or None))


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 255:
        raise BadRequest("Metadata name cannot exceed 255 characters.", params="name")
    if name in BUILT_IN:
        raise BadRequest("Metadata name already exists in Built-in fields.", params="name")
    return name


def _tag_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 50:
        raise BadRequest("Name must be between 1 to 50 characters.", params="name")
    return name


def _tag(row, count: int) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"], "type": "knowledge", "binding_count": str(count)}
