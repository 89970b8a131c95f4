"""Markdown: headings become the path, fenced code stays whole, everything else stays as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event
from .charset import decode
from .headings import Path as HeadingPath

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^(=+|-+)\s*$")
_FENCE = re.compile(r"^\s*(```+|~~~+)")


def parse(path: Path, images) -> Iterator[Event]:
    """Yield headings, paragraphs, tables and code of a Markdown (or MDX) file."""
    text = decode(path.read_bytes())
    yield from blocks(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S))  # without front matter


def blocks(text: str, headings: HeadingPath | None = None) -> Iterator[Block]:
    """Yield the blocks of Markdown text, below the headings given, which go on with the text's."""
    headings = headings or HeadingPath()
    lines: list[str] = []
    fence = ""

    def flush(kind: str | None = None):
        body = "\n".join(lines).strip("\n")
        lines.clear()
        if body.strip():
            table = body.lstrip().startswith("|") and body.count("\n") >= 1
            yield Block(body, kind=kind or ("table" if table else "text"), heading=headings.path())

    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1].startswith(fence):
                fence = ""
                yield from flush("code")
            continue
        if mark:
            yield from flush()
            fence = mark[1]
            lines.append(line)
            continue
        heading = _HEADING.match(line)
        if heading:
            yield from flush()
            headings.enter(len(heading[1]), heading[2])
            yield Block(heading[2], kind="heading", heading=headings.path())
        elif _UNDERLINE.match(line) and len(lines) == 1 and lines[0].strip() and len(line.strip()) >= 3:
            title = lines.pop().strip()
            headings.enter(1 if line.startswith("=") else 2, title)
            yield Block(title, kind="heading", heading=headings.path())
        elif not line.strip():
            yield from flush()
        else:
            lines.append(line)
    yield from flush()
