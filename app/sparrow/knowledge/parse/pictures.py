"""Pictures inside documents: written to a folder of the job, so that the parent can keep them.

In the other direction the folder holds what a vision model has read on scanned pages (`transcript_file`).
"""

from __future__ import annotations

from pathlib import Path

from .archive import Archive
from .blocks import Image, ParseError

_TYPES = frozenset(("png", "jpg", "jpeg", "gif", "webp", "bmp"))
MAX_BYTES = 8 << 20
MAX_IMAGES = 500
MIN_BYTES = 1024  # bullets and rules are no pictures


def transcript_file(folder: str | Path, page: int) -> Path:
    """Return where the Markdown of a scanned page (from 1) lies; an empty file says that nothing is written on it."""
    return Path(folder) / f"page-{page}.md"


class Pictures:
    """Collects the pictures of one document, each once."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._known: dict[str, Image] = {}

    def add(self, archive: Archive, part: str) -> Image | None:
        """Write an archive's part to the folder; return where, or None for one that is not kept."""
        ending = part.rpartition(".")[2].lower()
        if part not in archive or ending not in _TYPES or len(self._known) >= MAX_IMAGES:
            return None
        if part in self._known:
            return self._known[part]
        if not MIN_BYTES <= archive.names[part].file_size <= MAX_BYTES:
            return None
        try:
            data = archive.read(part, MAX_BYTES)
        except ParseError:
            return None
        number = len(self._known) + 1
        target = self.folder / f"{number}.{ending}"
        target.write_bytes(data)
        image = Image(number, str(target), part.rpartition("/")[2])
        self._known[part] = image
        return image

    def transcript(self, page: int) -> str | None:
        """Return what a vision model has read on a page, None where none was asked."""
        file = transcript_file(self.folder, page)
        return file.read_text("utf-8") if file.exists() else None
