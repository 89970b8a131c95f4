"""Pictures: what a vision model has written down of one, below the picture itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import markdown
from .blocks import Block, Event, ParseError

MAX_BYTES = 10 << 20  # of a picture that a model is given as it is
_MARKS = ((b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"))


def ending_of(head: bytes) -> str | None:
    """Return the usual ending of a picture by its first 12 bytes, None for what is no picture that models take."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return next((ending for mark, ending in _MARKS if head.startswith(mark)), None)


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the picture and what a model has read on it; raise ParseError where none was asked."""
    text = images.transcript(1) if images is not None else None
    if text is None:
        raise ParseError("A picture has no text to search. Choose a vision model for scanned pages and pictures on the "
                         "page of knowledge bases, then try again.", code="picture_unread")
    data = path.read_bytes()
    image = images.keep("", f"picture.{ending_of(data[:12])}", data)
    if image is not None:
        yield image
        yield Block(f"![{image.name}](image:{image.number})")
    yield from markdown.blocks(text)
