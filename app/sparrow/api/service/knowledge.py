"""What the routes of knowledge share: the base a key may use, pages of lists."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import request

from sparrow.errors import BadRequest, SparrowError
from sparrow.knowledge import attachments, datasets, ocr, parse
from sparrow.storage import files

MAX_FILE = 200 << 20


class Listing(msgspec.Struct, kw_only=True):
    """The query of a list; a limit over 100 counts as 100."""

    page: int = 1
    limit: int = 20
    keyword: str | None = None
    tag_ids: list[str] | str | None = None
    include_all: bool = False
    status: list[str] | str | None = None
    metadata: str = "all"

    def bounds(self) -> dict[str, int]:
        """Return page and limit within their bounds."""
        return {"page": min(max(self.page, 1), 99_999), "limit": min(max(self.limit, 1), 100)}


class NameBody(msgspec.Struct):
    """A name."""

    name: str


def dataset(dataset_id: str) -> dict[str, Any]:
    """Return a base's row; raise NotFound, or Forbidden where it is closed to the API."""
    return datasets.get(dataset_id, api=True)


def page(data: list[Any], total: int, query: Listing) -> dict[str, Any]:
    """Return a list in Dify's shape: data, has_more, limit, total, page."""
    bounds = query.bounds()
    return {"data": data, "has_more": bounds["page"] * bounds["limit"] < total, "limit": bounds["limit"],
            "total": total, "page": bounds["page"]}


def upload(*, images: bool = False) -> dict[str, Any]:
    """Store the one file of a request and return its row; raise Dify's errors for none or what is not read.

    With `images`, those are taken too that are not to be read: they can be bound to a passage or asked with.
    """
    parts = request.files.getlist("file")
    if not parts:
        raise BadRequest("Please upload your file.", code="no_file_uploaded", params="file")
    if len(request.files) > 1 or len(parts) > 1:
        raise BadRequest("Only one file is allowed.", code="too_many_files", params="file")
    if not parts[0].filename:
        raise BadRequest("The specified filename does not exist.", code="filename_not_exists_error", params="file")
    name = files.clean_name(parts[0].filename)
    image = images and files.extension(name) in attachments.TYPES
    if "." in name and not image and not ocr.readable(name):
        raise SparrowError(f"File type not allowed. {parse.advice(name)}".strip(), code="unsupported_file_type",
                           status=415, params="file")
    return dict(files.save(parts[0].stream, parts[0].filename, mime_type=parts[0].mimetype or None,
                           max_bytes=MAX_FILE, created_by=attachments.MARK if image else ""))
