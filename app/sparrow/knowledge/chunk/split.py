"""Blocks to chunks, general and parent-child. Streams: one chunk's text is held at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from sparrow.knowledge.parse.blocks import Block
from sparrow.knowledge.parse.tables import BREAK

from .clean import clean
from .rules import FULL_DOCUMENT_TOKENS, Rule, Segmentation
from .sentences import pack
from .tokens import estimate

TITLE_END = "\x1e"  # after the title in the text of `context`; cleaning leaves none in a passage
# A heading's number ("6.3.2. ", "Chapter 6. ", "第 6 章 "): nobody asks for it, and it blurs the title's vector.
_NUMBER = re.compile(
    r"\A\s*(?:(?:chapter|section|appendix|part)\s+(?:\d+|[ivxlc]+|[a-z])\b[.:：]?|第\s*[\d一二三四五六七八九十百]+\s*[章节篇部条]"
    r"|附录\s*[A-Z\d]*[.:：]?|[A-Z]?\d*(?:\.\d+)+[.)]?|\d+[.:：、)）])\s+(?=\S)", re.I)
_TITLE = 120  # characters of the beginning of a document that stand for its title where it has no headings
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)?")
_ROW = re.compile(rf"^\|.*{BREAK}.*", re.M)  # of a Markdown table
_SMALL = 0.12  # share of the limit below which a section is joined with the next one under the same parent


class Chunk(msgspec.Struct):
    """A passage to index: its text, where it stands, and the children matched in its place (if any)."""

    content: str
    heading: list[str] = []
    place_kind: str = ""
    place: str = ""
    kind: str = "text"
    answer: str | None = None
    children: list[str] = []
    keywords: list[str] = []


def chunks(blocks: Iterable[Block], rule: Rule, doc_form: str = "text_model") -> Iterator[Chunk]:
    """Yield the chunks of a document by a rule; `qa_model` documents go through `qa.pairs` instead."""
    cleaned = _titled(_cleaned(blocks, rule))
    if doc_form == "hierarchical_model":
        yield from _parents(cleaned, rule)
    elif rule.mode == "automatic":
        yield from _sections(cleaned, rule.segmentation)
    else:
        yield from _separated(cleaned, rule.segmentation)


def title_of(heading: list[str]) -> str:
    """Return the nearest heading without its number, "" where there is none."""
    return _NUMBER.sub("", heading[-1]) if heading else ""


def context(chunk_heading: list[str], content: str) -> str:
    """Return the text that is embedded and indexed: the nearest heading without its number, TITLE_END, the headings
    above the passage where it does not begin with them, the passage.
    """
    content = _ROW.sub(lambda row: row[0].replace(BREAK, " "), content)  # a mark is no word
    title = title_of(chunk_heading)
    lead = [name for name in chunk_heading if name and name not in content[:len(name) + 40]]
    text = " > ".join(lead) + "\n" + content if lead else content
    return title + TITLE_END + text if title else text


def children(text: str, segmentation: Segmentation) -> list[str]:
    """Return the child chunks of a parent's text."""
    out: list[str] = []
    for part in text.split(segmentation.separator):
        if part.strip():
            out += pack(part, segmentation.max_tokens, segmentation.chunk_overlap)
    return out


def _cleaned(blocks: Iterable[Block], rule: Rule) -> Iterator[Block]:
    for block in blocks:
        text = clean(block.text, rule.pre, code=block.kind == "code")
        if text:
            block.text = text
            yield block


def _titled(blocks: Iterable[Block]) -> Iterator[Block]:
    """Give the blocks of a document without headings its first words as theirs: they mostly say what it is about.

    Rows, code and what is spoken begin with anything.
    """
    waiting: list[Block] = []
    title: str | None = None
    for block in blocks:
        if title is None:
            if not block.heading and block.kind == "text" and block.place_kind != "time":
                waiting.append(block)
                if sum(len(one.text) for one in waiting) < _TITLE:
                    continue
            title = _beginning(waiting)
            yield from _under(waiting, title)
            if waiting and waiting[-1] is block:
                continue
        yield from _under([block], title)
    if title is None:
        yield from _under(waiting, _beginning(waiting))


def _under(blocks: list[Block], title: str) -> Iterator[Block]:
    for block in blocks:
        if title and not block.heading:
            block.heading = [title]
        yield block


def _beginning(blocks: list[Block]) -> str:
    text = _PICTURE.sub(" ", " ".join(block.text for block in blocks)[:_TITLE * 4])
    return " ".join(text.split())[:_TITLE].strip()


def _cut(block: Block, limit: int, overlap: int) -> list[Block]:
    """Return the parts of one block; tables keep their header, code is cut at lines."""
    if estimate(block.text) <= limit:
        return [block]
    if block.kind == "table":
        return _rows(block, limit)
    return [msgspec.structs.replace(block, text=part) for part in pack(block.text, limit, overlap)]


def _rows(block: Block, limit: int) -> list[Block]:
    lines = block.text.split("\n")
    head, rows = lines[:2], lines[2:]
    room = limit - estimate("\n".join(head))
    if room < limit // 3 or not rows:  # a header that fills the chunk is no header
        return [msgspec.structs.replace(block, text=part) for part in pack(block.text, limit)]
    # Of a sheet the parts are cited by its name.
    places = block.rows[-len(rows):] if block.rows and block.place_kind == "line" else [block.place] * len(rows)
    out: list[Block] = []
    current: list[str] = []
    size = 0

    def flush(end: int) -> None:
        nonlocal current, size
        if current:
            place = places[end - len(current)] if out else block.place
            out.append(msgspec.structs.replace(block, text="\n".join(head + current), place=place))
        current, size = [], 0

    for number, row in enumerate(rows):
        count = estimate(row) + 1
        if count > room:
            flush(number)
            out += [msgspec.structs.replace(block, text=part, place=places[number]) for part in pack(row, limit)]
            continue
        if size + count > room:
            flush(number)
        current.append(row)
        size += count
    flush(len(rows))
    return out


def _sections(blocks: Iterable[Block], segmentation: Segmentation) -> Iterator[Chunk]:
    """Fill chunks with whole blocks; a new heading starts a new chunk unless the one before is tiny."""
    limit, overlap = segmentation.max_tokens, segmentation.chunk_overlap
    parts: list[tuple[str, int]] = []
    size = body = 0
    first: Block | None = None

    def flush(carry: bool = False) -> Iterator[Chunk]:
        nonlocal parts, size, first, body
        if first is not None and body:
            yield Chunk("\n\n".join(text for text, _ in parts), first.heading, first.place_kind, first.place,
                        first.kind if len(parts) == 1 else "text")
            tail = parts[-1] if carry and overlap and len(parts) > 1 and parts[-1][1] <= overlap else None
            parts, size, body = ([tail] if tail else []), (tail[1] if tail else 0), 0
        else:
            parts, size, body = [], 0, 0
        first = None

    for block in blocks:
        if block.kind == "heading":
            apart = body and (body >= limit * _SMALL or first.heading[:-1] != block.heading[:-1])
            if apart or size + estimate(block.text) > limit:
                yield from flush()
            first = first or block
            parts.append((block.text, estimate(block.text)))
            size += parts[-1][1]
            continue
        for part in _cut(block, limit - min(size if not body else 0, limit // 3), overlap):
            count = estimate(part.text)
            if body and size + count > limit:
                yield from flush(carry=True)
            first = first or part
            parts.append((part.text, count))
            size += count
            body += count
            # The heading path of a chunk is that of its text, not of a heading that only ends it.
            if body == count:
                first = msgspec.structs.replace(part, place=first.place, place_kind=first.place_kind)
    if body:
        yield from flush()
    elif parts:  # a document of headings only
        yield Chunk("\n".join(text for text, _ in parts), [], first.place_kind if first else "",
                    first.place if first else "")


def _separated(blocks: Iterable[Block], segmentation: Segmentation) -> Iterator[Chunk]:
    """Cut the running text at the separator; parts over the limit are cut on at gentler boundaries."""
    for text, block in _parts(blocks, segmentation.separator):
        piece = block if text == block.text else msgspec.structs.replace(block, text=text, rows=[])
        for part in _cut(piece, segmentation.max_tokens, segmentation.chunk_overlap):
            yield Chunk(part.text, part.heading, part.place_kind, part.place, part.kind)


def _parts(blocks: Iterable[Block], separator: str) -> Iterator[tuple[str, Block]]:
    """Yield what stands between separators with the block it begins in; headings stay with what follows."""
    buffer = ""
    marks: list[tuple[int, Block]] = []
    title = ""

    def take(end: int, skip: int) -> tuple[str, Block]:
        nonlocal buffer, marks
        text, owner = buffer[:end], marks[0][1]
        for offset, block in marks:
            if offset <= end:
                owner = block if buffer[:offset].strip() == "" else owner
        buffer = buffer[end + skip:]
        moved = [(offset - end - skip, block) for offset, block in marks]
        later = [mark for mark in moved if mark[0] >= 0]
        current = [mark for mark in moved if mark[0] < 0][-1:]
        marks = [(0, block) for _, block in current if not later or later[0][0] > 0] + later
        return text, owner

    for block in blocks:
        if block.kind == "heading":
            title = f"{title}\n{block.text}".strip()
            continue
        text = f"{title}\n{block.text}" if title else block.text
        title = ""
        if buffer:
            buffer += "\n\n"
        marks.append((len(buffer), block))
        start = max(0, len(buffer) - len(separator))
        buffer += text
        while (at := buffer.find(separator, start)) >= 0:
            part, owner = take(at, len(separator))
            if part.strip():
                yield part.strip("\n"), owner
            start = 0
    if buffer.strip():
        yield buffer.strip("\n"), marks[0][1]
    if title:
        yield title, Block(title)


def _parents(blocks: Iterable[Block], rule: Rule) -> Iterator[Chunk]:
    if rule.parent_mode == "full-doc":
        texts, size, first = [], 0, None
        for block in blocks:
            first = first or block
            for part in _cut(block, FULL_DOCUMENT_TOKENS, 0):
                size += estimate(part.text)
                if size > FULL_DOCUMENT_TOKENS:
                    break
                texts.append(part.text)
            if size > FULL_DOCUMENT_TOKENS:
                break
        if texts:
            content = "\n\n".join(texts)
            yield Chunk(content, [], first.place_kind, first.place, children=children(content, rule.child))
        return
    make = _sections if rule.mode == "automatic" else _separated
    for parent in make(blocks, rule.segmentation):
        parent.children = children(parent.content, rule.child)
        yield parent
