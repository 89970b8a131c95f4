"""Pictures inside documents: written to a folder of the job, so that the parent can keep them.

In the other direction the folder holds what a vision model has read on scanned pages (`transcript_file`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from .archive import Archive
from .blocks import Image, ParseError

_TYPES = frozenset(("png", "jpg", "jpeg", "gif", "webp", "bmp"))
_DATA_URI = re.compile(r"data:image/(\w+)(?:;[\w=-]+)*;base64,(.+)", re.S | re.I)
MAX_BYTES = 8 << 20
MAX_IMAGES = 500
MAX_TOTAL = 128 << 20  # bytes of one document's pictures
MIN_BYTES = 1024  # bullets and rules are no pictures


def transcript_file(folder: str | Path, page: int) -> Path:
    """Return where the Markdown of a scanned page (from 1) lies; an empty file says that nothing is written on it."""
    return Path(folder) / f"page-{page}.md"


class Pictures:
    """Collects the pictures of one document, each once."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._known: dict[str, Image] = {}
        self._bytes = 0

    def add(self, archive: Archive, part: str) -> Image | None:
        """Write an archive's part to the folder; return where, or None for one that is not kept."""
        if part in self._known:
            return self._known[part]
        if part not in archive or archive.names[part].file_size > MAX_BYTES:
            return None
        try:
            return self.keep(part, part, archive.read(part, MAX_BYTES))
        except ParseError:
            return None

    def keep(self, key: str, name: str, data: bytes) -> Image | None:
        """Write a picture's bytes to the folder, once for each key; return where, or None for one that is not kept."""
        if key in self._known:
            return self._known[key]
        ending = name.rpartition(".")[2].lower()
        if ending not in _TYPES or len(self._known) >= MAX_IMAGES or not MIN_BYTES <= len(data) <= MAX_BYTES \
                or self._bytes + len(data) > MAX_TOTAL:
            return None
        self._bytes += len(data)
        number = len(self._known) + 1
        target = self.folder / f"{number}.{ending}"
        target.write_bytes(data)
        image = Image(number, str(target), name.rpartition("/")[2])
        self._known[key] = image
        return image

    @property
    def count(self) -> int:
        """How many pictures are kept."""
        return len(self._known)

    def has(self, key: str) -> bool:
        """Tell whether a picture of this key is kept."""
        return key in self._known

    def inline(self, uri: str) -> Image | None:
        """Keep the picture that a data: URI holds; None for one that is not kept."""
        found = _DATA_URI.match(uri)
        if not found or len(uri) > MAX_BYTES * 2:
            return None
        try:
            data = base64.b64decode(unquote_to_bytes(found[2]))
        except ValueError:
            return None
        return self.keep(hashlib.sha256(data).hexdigest(), f"picture.{found[1].lower()}", data)

    def transcript(self, page: int) -> str | None:
        """Return what a vision model has read on a page, None where none was asked."""
        file = transcript_file(self.folder, page)
        return file.read_text("utf-8") if file.exists() else None
