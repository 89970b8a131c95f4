"""Source code: pieces cut at blank lines before unindented lines, so that functions stay whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event
from .charset import decode

_TARGET = 1500  # characters


def parse(path: Path, images) -> Iterator[Event]:
    """Yield pieces of code; the place is the line each begins at."""
    piece: list[str] = []
    begin = size = 0
    blank = False
    for number, line in enumerate(decode(path.read_bytes()).split("\n"), start=1):
        top = bool(line) and not line[0].isspace() and line[0] not in ")}]"
        if (piece and size > _TARGET // 3 and blank and top) or size > _TARGET * 3:
            yield Block("\n".join(piece).strip("\n"), "code", "line", str(begin))
            piece, size = [], 0
        if not piece and not line.strip():
            continue
        if not piece:
            begin = number
        piece.append(line[:20000])
        size += len(line) + 1
        blank = not line.strip()
    if any(line.strip() for line in piece):
        yield Block("\n".join(piece).strip("\n"), "code", "line", str(begin))
