"""Uploads of the console."""

from __future__ import annotations

import msgspec
from flask import Response, request, send_file

from sparrow.api.console import console
from sparrow.errors import BadRequest
from sparrow.storage import files

MAX_UPLOAD = 1 << 30


class File(msgspec.Struct):
    """An uploaded file."""

    id: str
    name: str
    size: int
    extension: str
    mime_type: str
    created_at: int


@console.post("/files/upload", status=201, files=("file",))
def upload_file() -> File:
    """Upload one file."""
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    row = files.save(part.stream, part.filename or "file", mime_type=part.mimetype or None, max_bytes=MAX_UPLOAD)
    return File(row["id"], row["name"], row["size"], row["extension"], row["mime_type"], int(row["created_at"]))


@console.get("/files/<file_id>")
def download_file(file_id: str) -> Response:
    """Download a file."""
    row = files.get(file_id)
    return send_file(files.path(file_id), mimetype=row["mime_type"], as_attachment=True, download_name=row["name"])
