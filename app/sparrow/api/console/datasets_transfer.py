"""Whole knowledge bases out and in, as one file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from flask import Response

from sparrow.api.console import console
from sparrow.api.web import OK, Result
from sparrow.knowledge import transfer


class NewImport(msgspec.Struct, kw_only=True):
    """An uploaded file to import, and a name for the base if it is not to keep its own."""

    file_id: str
    name: str = ""


class ExportSize(msgspec.Struct):
    """About how large a file will be, in bytes, and what it will hold."""

    bytes: int
    files: int
    segments: int


@console.get("/datasets/<dataset_id>/export")
def export_dataset(dataset_id: str) -> Response:
    """Download a knowledge base with everything in it as one file."""
    name, data = transfer.export(dataset_id)
    return Response(data, mimetype="application/zip", headers={
        "Content-Disposition": f"attachment; filename=knowledge{transfer.SUFFIX}; filename*=UTF-8''{quote(name)}"})


@console.get("/datasets/<dataset_id>/export-size")
def export_size(dataset_id: str) -> ExportSize:
    """Tell about how large a knowledge base's file will be."""
    return ExportSize(**transfer.size(dataset_id))


@console.post("/datasets/import", status=202)
def import_dataset(body: NewImport) -> dict[str, Any]:
    """Import an exported knowledge base in the background."""
    return transfer.state(transfer.submit(body.file_id, body.name))


@console.get("/datasets/import/<import_id>")
def import_state(import_id: str) -> dict[str, Any]:
    """Show how far an import is."""
    return transfer.state(import_id)


@console.delete("/datasets/import/<import_id>")
def stop_import(import_id: str) -> Result:
    """Stop an import; what it wrote is removed."""
    transfer.stop(import_id)
    return OK
