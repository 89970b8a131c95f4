"""Markdown: headings become the path, fenced code stays whole, everything else stays as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event, Image
from .charset import decode
from .headings import Path as HeadingPath

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^(=+|-+)\s*$")
_FRONT = re.compile(r"\A---\n(?:.*?\n)??---\n", re.S)
_TITLE = re.compile(r"^title:[ \t]*([\"']?)(.+?)\1[ \t]*$", re.M)
_DATA = "data:image/"
_URI = r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=%]+"
_INLINE = re.compile(rf"!\[([^\]\n]*)\]\(\s*<?({_URI})>?[^)\n]*\)")
_DEFINED = re.compile(rf"^[ \t]*\[([^\]\n]+)\]:[ \t]*<?({_URI})>?.*$", re.M)
_BARE = re.compile(_URI)
_FENCE = re.compile(r"^\s*(```+|~~~+)")


def parse(path: Path, images) -> Iterator[Event]:
    """Yield headings, paragraphs, tables and code of a Markdown (or MDX) file."""
    text = decode(path.read_bytes())
    front = _FRONT.match(text)
    title = _TITLE.search(front[0]) if front else None
    headings = HeadingPath()
    if title:
        headings.enter(0, title[2])
    text = text[front.end():] if front else text
    if _DATA in text:
        text, pictures = _taken_out(text, images)
        yield from pictures
    yield from blocks(text, headings)


def _taken_out(text: str, images) -> tuple[str, list[Image]]:
    """Return a text without the pictures that are written into it, and the pictures that are kept instead.

    Cut into passages they would be letters that say nothing.
    """
    pictures: dict[int, Image] = {}

    def shown(alt: str, address: str) -> str:
        image = images.inline(address) if images is not None else None
        if image is None:
            return alt
        pictures[image.number] = image
        return f"![{alt or image.name}](image:{image.number})"

    named = {found[1]: found[2] for found in _DEFINED.finditer(text)}
    text = _DEFINED.sub("", text)
    text = re.sub(r"!\[([^\]\n]*)\]\[([^\]\n]*)\]", lambda found: shown(found[1], named[found[2] or found[1]]) if (
        found[2] or found[1]) in named else found[0], text)
    text = _INLINE.sub(lambda found: shown(found[1], found[2]), text)
    return _BARE.sub("", text), list(pictures.values())


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
