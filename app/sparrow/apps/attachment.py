"""Files that come with a request: checked against what the app takes, turned into the engine's files.

An uploaded file is named by its id, a remote one by its address. The type a client claims must fit the file.
"""

from __future__ import annotations

import mimetypes
from typing import Any
from urllib.parse import unquote, urlsplit

from sparrow import clock
from sparrow.apps import filebox
from sparrow.apps.order import Order
from sparrow.apps.prepared import Definition
from sparrow.dsl.document import GRAPH_MODES
from sparrow.engine.files import File, is_file_dict
from sparrow.errors import BadRequest, NotFound, TooManyRequests
from sparrow.ids import is_uuid
from sparrow.storage import files as storage

TYPES = ("image", "document", "audio", "video", "custom")
IMAGE = {"jpg", "jpeg", "png", "webp", "gif", "svg"}
VIDEO = {"mp4", "mov", "mpeg", "webm"}
AUDIO = {"mp3", "m4a", "wav", "amr", "mpga"}
DOCUMENT = {"txt", "markdown", "md", "mdx", "pdf", "html", "htm", "xlsx", "xls", "vtt", "properties", "doc", "docx",
            "csv", "eml", "msg", "pptx", "ppt", "xml", "epub"}
# Megabytes, as Dify's clients read them in /parameters.
LIMITS = {"image": 10, "document": 15, "audio": 50, "video": 100, "custom": 15}
MAX_FILES = 10
# Bytes that one visitor, and all of one app's page, may upload in a day: nobody knows them, and a pass is had for the
# asking. Visitors are refused, the admin and holders of a key are not.
DAY = 86_400.0
VISITOR_DAY = 300 << 20
PAGE_DAY = 3 << 30


def of_message(order: Order, definition: Definition) -> list[File]:
    """Return the files sent with a message or run; raise BadRequest for one the app does not take."""
    if not order.files:
        return []
    settings = _settings(definition)
    if settings is None:
        return []
    found = [_file(order, item, strict=False) for item in order.files]
    _check(found, settings)
    return found


def of_inputs(order: Order, definition: Definition, values: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with their file mappings turned into files."""
    fields = {field["variable"]: field for field in definition.fields if field.get("type") in ("file", "file-list")}
    if not fields:
        return values
    values = dict(values)
    for name, field in fields.items():
        value = values.get(name)
        if isinstance(value, dict):
            values[name] = _file(order, value)
            _check([values[name]], _of_field(field))
        elif isinstance(value, list):
            values[name] = [_file(order, item) for item in value]
            _check(values[name], _of_field(field))
    return values


def check_visitor(app_id: str, session_id: str) -> None:
    """Raise TooManyRequests when a visitor, or the visitors together, have uploaded enough for a day."""
    since = clock.now() - DAY
    if (storage.stored_since(since, app_id, session_id) >= VISITOR_DAY
            or storage.stored_since(since, app_id) >= PAGE_DAY):
        raise TooManyRequests("Enough files have been uploaded here for today. Try again tomorrow.",
                              code="upload_quota", retry_after=3600.0)


def kind_of(extension: str, mime_type: str) -> str:
    """Return the type of a file by its extension and MIME type."""
    extension = extension.lower().lstrip(".")
    for kind, known in (("image", IMAGE), ("video", VIDEO), ("audio", AUDIO), ("document", DOCUMENT)):
        if extension in known:
            return kind
    main = mime_type.split("/")[0]
    if main in ("image", "video", "audio"):
        return main
    return "document" if main == "text" else "custom"


def takes(definition: Definition, kind: str) -> bool:
    """Tell whether a message to an app may come with files of a kind (image, document…)."""
    return kind in (_settings(definition) or {}).get("types", ())


def _settings(definition: Definition) -> dict[str, Any] | None:
    """Return what the app takes with a message: {types, extensions, methods, limit}; None if it takes no files."""
    upload = definition.features.get("file_upload")
    if not isinstance(upload, dict):
        return None
    image = upload.get("image") if isinstance(upload.get("image"), dict) else {}
    if upload.get("enabled"):
        limit = _count(upload.get("number_limits"), MAX_FILES)
        return {"types": upload.get("allowed_file_types") or [], "limit": limit,
                "extensions": upload.get("allowed_file_extensions") or [],
                "methods": upload.get("allowed_file_upload_methods") or ["local_file", "remote_url"],
                "image_limit": _count(image.get("number_limits"), limit)}
    if image.get("enabled") and (definition.mode not in GRAPH_MODES or "enabled" not in upload):
        limit = _count(image.get("number_limits"), 3)
        return {"types": ["image"], "extensions": [], "limit": limit, "image_limit": limit,
                "methods": image.get("transfer_methods") or ["local_file", "remote_url"]}
    return None


def _count(given: Any, default: int) -> int:
    return given if isinstance(given, int) and given > 0 else default


def _of_field(field: dict[str, Any]) -> dict[str, Any]:
    return {"types": field.get("allowed_file_types") or [], "limit": MAX_FILES, "image_limit": MAX_FILES,
            "extensions": field.get("allowed_file_extensions") or [],
            "methods": field.get("allowed_file_upload_methods") or []}


def _check(files: list[File], settings: dict[str, Any]) -> None:
    images = sum(file.type == "image" for file in files)
    if images > settings["image_limit"]:
        raise BadRequest(f"Number of image files exceeds the maximum limit {settings['image_limit']}")
    if len(files) > settings["limit"]:
        raise BadRequest(f"Number of files exceeds the maximum limit {settings['limit']}")
    allowed = {str(extension).lower().lstrip(".") for extension in settings["extensions"]}
    for file in files:
        extension = (file.extension or "").lstrip(".").lower()
        fits = not settings["types"] or file.type in settings["types"]
        if file.type == "custom" and fits and allowed:
            fits = extension in allowed
        if not fits or (settings["methods"] and file.transfer_method not in settings["methods"]):
            raise BadRequest(f"File validation failed for file: {file.filename}")


def _file(order: Order, value: Any, *, strict: bool = True) -> File:
    """Return a client's file. Inputs are strict: the claimed type must be that of the file."""
    if not isinstance(value, dict):
        raise BadRequest("Invalid file: it must be an object")
    if is_file_dict(value) and value.get("transfer_method") not in ("local_file", "remote_url"):
        raise BadRequest("Invalid transfer method")
    method, claimed = value.get("transfer_method"), value.get("type") or "custom"
    if claimed not in TYPES:
        raise BadRequest(f"Invalid file type: {str(claimed)[:40]}")
    if method == "local_file":
        upload_id = value.get("upload_file_id") or value.get("related_id")
        return _uploaded(order, upload_id, claimed, value.get("id"), strict)
    if method == "remote_url":
        address = value.get("url") or value.get("remote_url")
        if not isinstance(address, str) or not address.startswith(("http://", "https://")):
            raise BadRequest("Invalid file url")
        return _remote(address, claimed, strict)
    raise BadRequest(f"Invalid file transfer method: {str(method)[:40]}")


def _uploaded(order: Order, upload_id: Any, claimed: str, own_id: Any, strict: bool) -> File:
    try:
        row = storage.get(str(upload_id)) if is_uuid(upload_id) else None
    except NotFound:
        row = None
    # The admin's own uploads carry no user; a client sees only what it uploaded itself.
    if row is None or (order.source != "console" and row["created_by"] != order.user.session_id):
        raise BadRequest("Invalid upload file")
    if strict:
        _fits(claimed, kind_of(row["extension"], row["mime_type"]))
    extension = f".{row['extension']}" if row["extension"] else ""
    return File(claimed, "local_file", filename=row["name"], extension=extension,
                mime_type=row["mime_type"], size=row["size"], related_id=row["id"],
                url=order.base_url + filebox.signed_path(row["id"]), id=own_id if isinstance(own_id, str) else None)


def _remote(address: str, claimed: str, strict: bool) -> File:
    found = filebox.head(address)
    path = unquote(urlsplit(address).path).rsplit("/", 1)[-1]
    name = found.get("filename") or path or "file"
    mime_type = (mimetypes.guess_type(name)[0] or found.get("mime_type") or "").split(";")[0].strip()
    extension = name.rpartition(".")[2] if "." in name else (mimetypes.guess_extension(mime_type) or "").lstrip(".")
    kind = kind_of(extension, mime_type or "application/octet-stream")
    if strict:
        _fits(claimed, kind)
    return File(claimed, "remote_url", filename=name, extension=f".{extension}" if extension else "",
                mime_type=mime_type or "application/octet-stream", size=found.get("size", -1), url=address,
                remote_url=address)


def _fits(claimed: str, detected: str) -> None:
    if claimed not in ("custom", detected):
        raise BadRequest("Detected file type does not match the specified type. Please verify the file.")
