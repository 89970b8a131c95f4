"""Word documents (.docx) by the standard library: paragraphs, headings, lists, tables, notes, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .archive import Archive
from .blocks import Block, Event, ParseError
from .headings import Path as HeadingPath
from .tables import blocks as table_blocks

_PAGE_BREAKS = ("lastRenderedPageBreak",)


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the blocks of the body in order, then foot- and endnotes."""
    archive = Archive(path)
    part = next((target for name, target in archive.relations("").items()
                 if target.endswith("document.xml")), "word/document.xml")
    if part not in archive:
        raise ParseError("The file is no Word document.", code="mislabelled_file")
    reader = _Body(_heading_levels(archive), archive.relations(part), archive, images)
    archive.sax(part, reader.start, reader.end, reader.text)
    yield from reader.events
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        if name in archive:
            notes = _Body({}, {}, archive, None)
            archive.sax(name, notes.start, notes.end, notes.text)
            yield from (event for event in notes.events if isinstance(event, Block))


def _heading_levels(archive: Archive) -> dict[str, int]:
    """Return {style id: level} of the styles that are headings, also in localised documents."""
    levels: dict[str, int] = {}
    style = ""

    def start(tag, attributes):
        nonlocal style
        if tag == "style":
            style = attributes.get("styleId", "")
        elif tag == "name" and style:
            name = attributes.get("val", "").lower()
            if name.startswith("heading ") and name[8:].isdigit():
                levels[style] = int(name[8:])
            elif name == "title":
                levels[style] = 1
        elif tag == "outlineLvl" and style and attributes.get("val", "").isdigit():
            level = int(attributes["val"]) + 1
            if level <= 6:
                levels.setdefault(style, level)

    if "word/styles.xml" in archive:
        archive.sax("word/styles.xml", start, lambda tag: None)
    return levels


class _Body:
    """Collects events from the document's XML."""

    def __init__(self, levels: dict[str, int], relations: dict[str, str], archive: Archive, images):
        self.events: list[Event] = []
        self._levels, self._relations, self._archive, self._images = levels, relations, archive, images
        self._headings = HeadingPath()
        self._text: list[str] = []
        self._in_text = False
        self._style = ""
        self._outline = 0
        self._list = False
        self._skip = 0  # inside deleted text or a fallback drawing
        self._tables: list[list[list[str]]] = []
        self._cells: list[list[str]] = []

    def start(self, tag, attributes):
        if tag in ("del", "Fallback", "instrText"):
            self._skip += 1
        elif tag == "p":
            if not self._cells:
                self._text = []
            self._style, self._outline, self._list = "", 0, False
        elif tag == "pStyle":
            self._style = attributes.get("val", "")
        elif tag == "outlineLvl" and attributes.get("val", "").isdigit():
            self._outline = int(attributes["val"]) + 1 if int(attributes["val"]) < 6 else 0
        elif tag == "numPr":
            self._list = True
        elif tag == "t":
            self._in_text = True
        elif tag in ("br", "cr"):
            self._append("\n")
        elif tag == "tab":
            self._append("\t")
        elif tag == "tbl":
            self._tables.append([])
        elif tag == "tr" and self._tables:
            self._tables[-1].append([])
        elif tag == "tc" and self._tables:
            self._cells.append([])
        elif tag == "blip" and self._images is not None and not self._skip:
            event = self._images.add(self._archive, self._relations.get(attributes.get("embed", ""), ""))
            if event is not None:
                self.events.append(event)
                self._append(f"![{event.name}](image:{event.number})")

    def end(self, tag):
        if tag in ("del", "Fallback", "instrText"):
            self._skip -= 1
        elif tag == "t":
            self._in_text = False
        elif tag == "p":
            if self._cells:
                self._cells[-1].append(" ")
            else:
                self._paragraph()
        elif tag == "tc" and self._cells:
            cell = "".join(self._cells.pop())
            if self._tables and self._tables[-1]:
                self._tables[-1][-1].append(cell)
        elif tag == "tbl" and self._tables:
            rows = self._tables.pop()
            if self._cells:  # a table inside a cell becomes its text
                self._cells[-1].append(" ".join(" ".join(row) for row in rows))
            else:
                for text in table_blocks(rows):
                    self.events.append(Block(text, "table", heading=self._headings.path()))

    def text(self, data):
        if self._in_text:
            self._append(data)

    def _append(self, data: str) -> None:
        if self._skip:
            return
        (self._cells[-1] if self._cells else self._text).append(data)

    def _paragraph(self) -> None:
        text = "".join(self._text).strip()
        self._text = []
        if not text:
            return
        level = self._levels.get(self._style) or self._outline
        if level and len(text) <= 200:
            self._headings.enter(level, text)
            self.events.append(Block(" ".join(text.split()), "heading", heading=self._headings.path()))
        else:
            self.events.append(Block(("- " if self._list else "") + text, heading=self._headings.path()))
