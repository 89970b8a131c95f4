"""Word documents (.docx) by the standard library: paragraphs, headings, lists, tables, notes, pictures, charts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from . import drawings
from .archive import Archive
from .blocks import Block, Event, ParseError
from .headings import Path as HeadingPath
from .numbering import Numbering
from .tables import blocks as table_blocks

# What was deleted or moved away, what older programs would draw, what fields compute, and phonetic guides.
_UNSEEN = frozenset(("del", "moveFrom", "Fallback", "instrText", "rt"))
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the blocks of the body in order, each foot- or endnote after the paragraph or table that refers to it."""
    archive = Archive(path)
    part = archive.related("", "officeDocument") or "word/document.xml"
    if part not in archive:
        raise ParseError("The file is no Word document.", code="mislabelled_file")
    reader = _Body(archive, part, images)
    archive.sax(part, reader.start, reader.end, reader.text)
    yield from reader.events


class _Style(msgspec.Struct):
    """What a paragraph style says: its heading level (0 for none), its list, and whether it only leads elsewhere."""

    heading: int = 0
    number: str = ""
    level: int | None = None
    leads: bool = False
    base: str = ""


def _styles(archive: Archive, part: str | None) -> dict[str, _Style]:
    """Return {style id: style}, also of localised documents, with what each takes over from the one it is based on."""
    styles: dict[str, _Style] = {}
    style = _Style()

    def start(tag, attributes):
        nonlocal style
        value = attributes.get("val", "")
        if tag == "style":
            style = styles.setdefault(attributes.get("styleId", ""), _Style())
        elif tag == "basedOn":
            style.base = value
        elif tag == "name":
            name = value.lower()
            if name.startswith("heading ") and name[8:].isdigit():
                style.heading = int(name[8:])
            elif name == "title":
                style.heading = 1
            style.leads = name == "table of figures" or (name.startswith("toc ") and name[4:].isdigit())
        elif tag == "outlineLvl" and value.isdigit() and int(value) < 6:
            style.heading = style.heading or int(value) + 1
        elif tag == "numId":
            style.number = value
        elif tag == "ilvl" and value.isdigit():
            style.level = int(value)

    if part is not None:
        archive.sax(part, start, lambda tag: None)
    for style in styles.values():
        base, steps = style.base, 0
        while base in styles and steps < 20:
            over = styles[base]
            style.heading = style.heading or over.heading
            style.number = style.number or over.number
            style.level = over.level if style.level is None else style.level
            base, steps = over.base, steps + 1
    return styles


def _notes(archive: Archive, part: str | None) -> dict[str, str]:
    """Return {id: text} of a part's foot- or endnotes."""
    found: dict[str, list[str]] = {}
    key, inside = "", False

    def start(tag, attributes):
        nonlocal key, inside
        if tag in ("footnote", "endnote"):
            key = attributes.get("id", "")
        inside = tag == "t"

    def end(tag):
        nonlocal inside
        inside = False
        if tag == "p":
            found.setdefault(key, []).append(" ")

    def text(data):
        if inside:
            found.setdefault(key, []).append(data)

    if part is not None:
        archive.sax(part, start, end, text)
    return {key: text for key, pieces in found.items() if (text := " ".join("".join(pieces).split()))}


class _Paragraph(msgspec.Struct):
    """A paragraph that is being read; text boxes have paragraphs inside one."""

    text: list[str] = []
    style: str = ""
    outline: int = 0
    number: str | None = None
    level: int | None = None
    deleted: bool = False


class _Cell(msgspec.Struct):
    """A table's cell: its text, how many columns it covers, and whether it goes on with the one above it."""

    text: list[str] = []
    wide: int = 1
    goes_on: bool = False


class _Body:
    """Collects events from the document's XML."""

    def __init__(self, archive: Archive, part: str, images):
        self.events: list[Event] = []
        self._archive, self._images = archive, images
        self._relations = archive.relations(part)
        self._styles = _styles(archive, archive.related(part, "styles"))
        self._numbering = Numbering(archive, archive.related(part, "numbering"))
        self._notes = {tag: _notes(archive, archive.related(part, kind)) for tag, kind in _NOTES.items()}
        self._headings = HeadingPath()
        self._paragraphs: list[_Paragraph] = []
        self._in_text = False
        self._unseen = 0
        self._tables: list[list[list[_Cell]]] = []
        self._cells: list[_Cell] = []
        self._asides: list[Block] = []  # notes and charts, told after their paragraph
        self._note_count = 0

    def start(self, tag, attributes):
        value = attributes.get("val", "")
        paragraph = self._paragraphs[-1] if self._paragraphs else None
        if tag in _UNSEEN:
            self._unseen += 1
            if paragraph is not None:
                paragraph.deleted = True
        elif tag == "p":
            self._paragraphs.append(_Paragraph())
        elif tag == "t":
            self._in_text = True
        elif tag in ("br", "cr"):
            self._append("\n")
        elif tag in ("tab", "ptab"):
            self._append("\t")
        elif tag == "noBreakHyphen":
            self._append("-")
        elif tag == "tbl":
            self._tables.append([])
        elif tag == "tr" and self._tables:
            self._tables[-1].append([])
        elif tag == "tc" and self._tables:
            self._cells.append(_Cell())
        elif tag == "gridSpan" and self._cells and value.isdigit():
            self._cells[-1].wide = int(value)
        elif tag == "vMerge" and self._cells:
            self._cells[-1].goes_on = value != "restart"
        elif paragraph is not None:
            self._within(paragraph, tag, value, attributes)

    def _within(self, paragraph: _Paragraph, tag: str, value: str, attributes: dict[str, str]) -> None:
        if tag == "pStyle":
            paragraph.style = value
        elif tag == "outlineLvl" and value.isdigit():
            paragraph.outline = int(value) + 1 if int(value) < 6 else 0
        elif tag == "numId":
            paragraph.number = value
        elif tag == "ilvl" and value.isdigit():
            paragraph.level = int(value)
        elif self._unseen:
            return
        elif tag in _NOTES:
            text = self._notes[tag].get(attributes.get("id", ""))
            if text:
                self._note_count += 1
                self._append(f"[^{self._note_count}]")
                self._asides.append(Block(f"[^{self._note_count}]: {text}", heading=self._headings.path()))
        elif tag == "blip" and self._images is not None:
            event = self._images.add(self._archive, self._relations.get(attributes.get("embed", ""), ""))
            if event is not None:
                self.events.append(event)
                self._append(f"![{event.name}](image:{event.number})")
        elif tag == "chart" and self._relations.get(attributes.get("id", "")) in self._archive:
            title, table = drawings.chart(self._archive, self._relations[attributes["id"]])
            if table:
                path = self._headings.path()
                self._asides.append(Block(table, "table", heading=[*path, title] if title else path))
        elif tag == "relIds" and self._relations.get(attributes.get("dm", "")) in self._archive:
            lines = drawings.diagram(self._archive, self._relations[attributes["dm"]])
            if lines:
                self._asides.append(Block("\n".join(lines), heading=self._headings.path()))

    def end(self, tag):
        if tag in _UNSEEN:
            self._unseen -= 1
        elif tag == "t":
            self._in_text = False
        elif tag == "p" and self._paragraphs:
            self._paragraph(self._paragraphs.pop())
        elif tag == "tc" and self._cells:
            cell = self._cells.pop()
            if self._tables and self._tables[-1]:
                self._tables[-1][-1].append(cell)
        elif tag == "tbl" and self._tables:
            rows = _rows(self._tables.pop())
            if self._cells:  # a table inside a cell becomes its text
                self._cells[-1].text += [" ".join(" ".join(row) for row in rows), "\n"]
            else:
                for text in table_blocks(rows):
                    self.events.append(Block(text, "table", heading=self._headings.path()))
                self._tell_asides()

    def text(self, data):
        if self._in_text:
            self._append(data)

    def _append(self, data: str) -> None:
        if not self._unseen and self._paragraphs:
            self._paragraphs[-1].text.append(data)

    def _paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.text).strip()
        style = self._styles.get(paragraph.style, _Style())
        if self._unseen or (not text and paragraph.deleted):
            return
        number = style.number if paragraph.number is None else paragraph.number
        level = next((level for level in (paragraph.level, style.level) if level is not None), None)
        if level is None:
            level = self._numbering.level_of(number, paragraph.style)
        label = self._numbering.label(number, level)
        if not text or style.leads:
            return
        text = f"{label} {text}" if label else text
        heading = style.heading or paragraph.outline
        if self._cells:
            self._cells[-1].text += [text, "\n"]
            return
        if heading and len(text) <= 200:
            self._headings.enter(heading, text)
            self.events.append(Block(" ".join(text.split()), "heading", heading=self._headings.path()))
        else:
            self.events.append(Block(text, heading=self._headings.path()))
        self._tell_asides()

    def _tell_asides(self) -> None:
        self.events += self._asides
        self._asides = []


def _rows(rows: list[list[_Cell]]) -> list[list[str]]:
    """Return a table's texts column below column: a cell over several rows stands in each, one over several columns
    in the first."""
    out: list[list[str]] = []
    for cells in rows:
        line: list[str] = []
        for cell in cells:
            text = "".join(cell.text).strip()
            if cell.goes_on and out and len(line) < len(out[-1]):
                text = text or out[-1][len(line)]
            line += [text, *[""] * (min(max(cell.wide, 1), 200) - 1)]
        out.append(line)
    return out
