"""Files from elsewhere than one request: in pieces, from a folder of the box or a USB stick, from the web."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import msgspec
from flask import request

from sparrow.api.console import console
from sparrow.api.console.files import File
from sparrow.api.web import OK, Result
from sparrow.knowledge import sources, web
from sparrow.storage import uploads


class NewUpload(msgspec.Struct, kw_only=True):
    """What is going to be sent."""

    name: str
    size: int
    mime_type: str = ""


class Offset(msgspec.Struct):
    """Where a piece belongs."""

    offset: int


class Folder(msgspec.Struct, kw_only=True):
    """A folder of a place; `deep` lists the files of all folders below."""

    path: str = ""
    deep: bool = False


class PlaceFile(msgspec.Struct):
    """A file of a place."""

    path: str


class Address(msgspec.Struct):
    """The address of a web page or document."""

    url: str


class Fetched(msgspec.Struct):
    """What an address gave."""

    file: File
    url: str
    title: str


class Upload(TypedDict):
    """An upload in pieces: it goes on at `offset`, with up to `piece` bytes at once."""

    id: str
    name: str
    size: int
    offset: int
    piece: int


class Appended(Upload):
    """An upload after a piece; the last piece gives the file."""

    file: NotRequired[File]


class Place(TypedDict):
    """A folder of the box that documents can come from."""

    id: str
    kind: Literal["drop", "usb"]
    name: str


class Places(TypedDict):
    """All places."""

    data: list[Place]


class Entry(TypedDict):
    """A file or folder of a place; `supported` tells whether its text can be read."""

    name: str
    path: str
    folder: bool
    size: int
    supported: bool


class Entries(TypedDict):
    """A folder of a place."""

    data: list[Entry]
    path: str


@console.post("/uploads", status=201)
def begin_upload(body: NewUpload) -> Upload:
    """Begin an upload in pieces."""
    return uploads.begin(body.name, body.size, body.mime_type)


@console.get("/uploads/<upload_id>")
def upload_state(upload_id: str) -> Upload:
    """Show where an upload goes on."""
    return uploads.state(upload_id)


@console.put("/uploads/<upload_id>")
def append_upload(upload_id: str, query: Offset) -> Appended:
    """Add the body's bytes to an upload; the last piece gives the file."""
    found = uploads.append(upload_id, query.offset, request.stream)
    if "file" in found:
        found["file"] = _file(found["file"])
    return found


@console.delete("/uploads/<upload_id>")
def cancel_upload(upload_id: str) -> Result:
    """Forget an upload."""
    uploads.cancel(upload_id)
    return OK


@console.get("/places")
def list_places() -> Places:
    """List the folders of the box documents can come from: the drop folder and plugged-in sticks."""
    return {"data": sources.places()}


@console.get("/places/<place>")
def browse_place(place: str, query: Folder) -> Entries:
    """List a folder of a place."""
    return {"data": sources.browse(place, query.path, deep=query.deep), "path": query.path}


@console.post("/places/<place>/take", status=201)
def take_file(place: str, body: PlaceFile) -> File:
    """Copy a file of a place, as if it had been uploaded."""
    return _file(sources.take(place, body.path))


@console.post("/files/from-url", status=201)
def take_url(body: Address) -> Fetched:
    """Fetch a web page or document, as if it had been uploaded."""
    from sparrow.tools.outbound import Client

    row, url, title = web.fetch(Client(), body.url)
    return Fetched(_file(row), url, title)


def _file(row: Any) -> File:
    return File(row["id"], row["name"], row["size"], row["extension"], row["mime_type"], int(row["created_at"]))
