"""Files as a run sees them: the bytes behind an engine file, new ones, and addresses that open without a login."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from sparrow import clock, settings
from sparrow.engine.files import File
from sparrow.engine.ports import Cancel, HttpRequest, PortError
from sparrow.errors import NotFound
from sparrow.storage import durable
from sparrow.storage import files as storage

# How long a signed address opens a file.
VALID_SECONDS = 24 * 3600
_MAX_REMOTE = 100 << 20
_PATIENCE = 30.0  # seconds without a byte of it


class FileBox:
    """The engine's `Files` port for one app and user; `base` is the box's address as the client knows it."""

    def __init__(self, app_id: str, user: Any, base: str = ""):
        self.app_id, self.user, self.base = app_id, user, base

    def read(self, file: File) -> bytes:
        """Return the content of a file."""
        if file.related_id:
            try:
                storage.get(file.related_id)
                return storage.path(file.related_id).read_bytes()
            except (NotFound, FileNotFoundError):
                raise PortError(f"File {file.filename} is gone.", "FileNotFoundError") from None
        if not file.remote_url:
            raise PortError(f"File {file.filename} has no content.", "FileNotFoundError")
        return fetch(file.remote_url)

    def save(self, content: bytes, filename: str | None, mime_type: str | None) -> File:
        """Keep bytes that a node made."""
        from sparrow.apps.attachment import kind_of

        row = storage.save(io.BytesIO(content), filename or "file", mime_type=mime_type, app_id=self.app_id,
                           created_by=self.user.session_id)
        return File(kind_of(row["extension"], row["mime_type"]), "tool_file", filename=row["name"],
                    extension=f".{row['extension']}" if row["extension"] else "", mime_type=row["mime_type"],
                    size=row["size"], related_id=row["id"], url=self.base + signed_path(row["id"]))

    def extract(self, file: File, content: bytes) -> str:
        """Return the text of a document."""
        from sparrow.apps import surroundings

        return surroundings.extract(file.filename or f"file{file.extension or ''}", content)

    def from_input(self, value: dict[str, Any]) -> File:
        """Make a file of the dictionary form of one."""
        return File.from_dict(value)

    def address(self, file: File) -> str:
        """Return what a model gets of a file: its content as a data URL, as the box may not be reachable for it."""
        if not file.related_id and file.remote_url:
            return file.remote_url
        kind = file.mime_type or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(self.read(file)).decode()}"


def signed_path(file_id: str) -> str:
    """Return a path that opens a file for a day, without a login."""
    moment, nonce = str(int(clock.now())), os.urandom(8).hex()
    return f"/v1/files/{file_id}/file-preview?timestamp={moment}&nonce={nonce}&sign={_sign(file_id, moment, nonce)}"


def is_signed(file_id: str, timestamp: str, nonce: str, sign: str) -> bool:
    """Tell whether a signed address is genuine and still valid."""
    if not timestamp.isdigit() or not hmac.compare_digest(_sign(file_id, timestamp, nonce), sign):
        return False
    return 0 <= clock.now() - int(timestamp) < VALID_SECONDS


def head(address: str) -> dict[str, Any]:
    """Ask a remote file for its name, type and size without reading it; {} if it does not say."""
    from sparrow.apps import surroundings

    client = surroundings.http()
    try:
        reply = client.request(HttpRequest("HEAD", address, connect_timeout=5, read_timeout=10), Cancel())
    except PortError:
        return {}
    if reply.status >= 300:
        return {}
    found: dict[str, Any] = {"mime_type": reply.headers.get("content-type", "")}
    length = reply.headers.get("content-length", "")
    if length.isdigit():
        found["size"] = int(length)
    disposition = reply.headers.get("content-disposition", "")
    if "filename=" in disposition:
        found["filename"] = disposition.split("filename=")[1].split(";")[0].strip(' "')
    return found


def fetch(address: str) -> bytes:
    """Return the content behind an address, within the outbound rules; raise PortError."""
    from sparrow.apps import surroundings

    client = surroundings.http()
    reply = client.request(HttpRequest("GET", address, read_timeout=_PATIENCE, max_text=_MAX_REMOTE,
                                       max_binary=_MAX_REMOTE), Cancel())
    if reply.status >= 300:
        raise PortError(f"{address} answered {reply.status}.")
    return reply.content


def mark(text: bytes) -> bytes:
    """Return 16 bytes that only this box can make of a text: what makes an address unguessable."""
    return hmac.new(_key(Path(settings.get().data_dir)), b"address|" + text, hashlib.sha256).digest()[:16]


def _sign(file_id: str, timestamp: str, nonce: str) -> str:
    return signature(f"file-preview|{file_id}|{timestamp}|{nonce}")


def signature(text: str) -> str:
    """Return the box's mark under a text; the text begins with what it is for."""
    return base64.urlsafe_b64encode(hmac.new(_key(Path(settings.get().data_dir)), text.encode(),
                                             hashlib.sha256).digest()).decode()


@lru_cache(maxsize=4)
def _key(data_dir: Path) -> bytes:
    return durable.make(data_dir / "config" / "links.key", os.urandom(32), 0o640)
