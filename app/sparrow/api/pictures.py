"""The pictures of documents, at the address that passages carry: whoever may read the passage knows the id."""

from __future__ import annotations

from flask import Response, send_file

from sparrow.api.web import Room
from sparrow.errors import NotFound
from sparrow.knowledge import attachments
from sparrow.storage import files

pictures = Room("pictures", "/files")


@pictures.get("/<file_id>/image-preview", hidden=True)
def picture(file_id: str) -> Response:
    """Show a picture; other files are not served here, and SVG is not either, for it can carry scripts."""
    row = files.get(file_id)
    kind = attachments.SHOWN.get(row["extension"])
    if kind is None or not files.path(file_id).exists():
        raise NotFound("File not found.", code="file_not_found")
    reply = send_file(files.path(file_id), mimetype=kind, max_age=86400)
    reply.headers["X-Content-Type-Options"] = "nosniff"
    reply.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return reply
