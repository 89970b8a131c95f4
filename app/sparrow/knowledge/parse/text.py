"""Plain text, log and properties files: paragraphs as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event
from .charset import decode

BLOCK_CHARS = 16_000


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the file's paragraphs in blocks of at most some thousand characters."""
    yield from paragraphs(decode(path.read_bytes()))


def paragraphs(text: str) -> Iterator[Block]:
    """Yield one block a paragraph; a giant paragraph is cut at its line ends or, without any, by length."""
    for paragraph in text.split("\n\n"):
        paragraph = paragraph.strip("\n")
        if not paragraph.strip():
            continue
        while len(paragraph) > BLOCK_CHARS:
            cut = paragraph.rfind("\n", BLOCK_CHARS // 2, BLOCK_CHARS)
            cut = cut if cut > 0 else BLOCK_CHARS
            yield Block(paragraph[:cut])
            paragraph = paragraph[cut:].lstrip("\n")
        yield Block(paragraph)
