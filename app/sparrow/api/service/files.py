"""Uploads of end users, and the addresses that show files."""

from __future__ import annotations

import msgspec
from flask import Response, request, send_file

from sparrow.api.service import service, shapes
from sparrow.api.service.who import app, end_user
from sparrow.api.web import base_url
from sparrow.apps import attachment, filebox
from sparrow.errors import BadRequest, Forbidden, NotFound
from sparrow.ids import is_uuid
from sparrow.storage import files

TAG = "files"


class UploadForm(msgspec.Struct):
    """Who uploads."""

    user: str | None = None


class PreviewQuery(msgspec.Struct):
    """How to show a file."""

    as_attachment: bool = False
    user: str | None = None


class SignedQuery(msgspec.Struct):
    """The signature of an address."""

    timestamp: str = ""
    nonce: str = ""
    sign: str = ""
    as_attachment: bool = False


@service.post("/files/upload", status=201, files=("file",), tag=TAG)
def upload(form: UploadForm) -> shapes.Upload:
    """Upload a file to send with a message or run."""
    user = end_user(form.user, required=False)
    part = request.files.get("file")
    if part is None:
        raise BadRequest("Please upload your file.", code="no_file_uploaded")
    if not part.filename:
        raise BadRequest("The specified filename is invalid.", code="filename_not_exists_error")
    name = files.clean_name(part.filename)
    kind = attachment.kind_of(files.extension(name), part.mimetype or "")
    row = files.save(part.stream, name, mime_type=part.mimetype or None, app_id=app().id, created_by=user.session_id,
                     max_bytes=attachment.LIMITS[kind] << 20)
    return {"id": row["id"], "name": row["name"], "size": row["size"], "extension": row["extension"],
            "mime_type": row["mime_type"], "created_by": user.id, "created_at": int(row["created_at"]),
            "preview_url": None, "source_url": base_url() + filebox.signed_path(row["id"]), "original_url": None,
            "user_id": None, "tenant_id": "00000000-0000-0000-0000-000000000000", "conversation_id": None,
            "file_key": None}


@service.get("/files/<file_id>/preview", tag=TAG)
def preview(file_id: str, query: PreviewQuery) -> Response:
    """Show a file of this app."""
    row = _row(file_id)
    if row["app_id"] != app().id:
        raise Forbidden("Access to the requested file is denied.", code="file_access_denied")
    return _send(row, query.as_attachment)


@service.get("/files/<file_id>/file-preview", public=True, tag=TAG)
def signed_preview(file_id: str, query: SignedQuery) -> Response:
    """Show a file by its signed address."""
    if not filebox.is_signed(file_id, query.timestamp, query.nonce, query.sign):
        raise Forbidden("This address is wrong or too old.", code="file_access_denied")
    return _send(_row(file_id), query.as_attachment)


def _row(file_id: str):
    if not is_uuid(file_id):
        raise NotFound("File not found.", code="file_not_found")
    return files.get(file_id)


def _send(row, as_attachment: bool) -> Response:
    # Only what a browser cannot run is shown in place; the rest is downloaded.
    shown = row["mime_type"].split("/")[0] in ("image", "audio", "video") and "svg" not in row["mime_type"]
    response = send_file(files.path(row["id"]), mimetype=row["mime_type"], download_name=row["name"],
                         as_attachment=as_attachment or not shown)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox"
    return response
