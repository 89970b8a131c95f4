"""Presentations (.pptx) by the standard library: slide by slide, titles as headings, tables, charts, notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import drawings
from .archive import Archive
from .blocks import Block, Event, ParseError, Progress
from .tables import markdown


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the text of each slide in the order of the presentation; the place is the slide's number."""
    archive = Archive(path)
    if "ppt/presentation.xml" not in archive:
        raise ParseError("The file is no presentation.", code="mislabelled_file")
    order: list[str] = []

    def start(tag, attributes):
        # The id and r:id attributes share a local name; the relation is the one that is not a number.
        if tag == "sldId":
            order.extend(value for value in attributes.values() if not value.isdigit())

    archive.sax("ppt/presentation.xml", start, lambda tag: None)
    relations = archive.relations("ppt/presentation.xml")
    slides = [relations[key] for key in order if key in relations]
    for number, part in enumerate(slides, start=1):
        if part not in archive:
            continue
        links = archive.relations(part)
        slide = _Slide(str(number), links, archive, images)
        archive.sax(part, slide.start, slide.end, slide.text)
        yield from slide.finish()
        for target in links.values():
            if "notesSlide" in target and target in archive:
                notes = _Slide(str(number), {}, archive, None)
                archive.sax(target, notes.start, notes.end, notes.text)
                text = "\n".join(line for line in notes.lines if not line.strip().isdigit()).strip()
                if text:
                    yield Block(text, "text", "slide", str(number), slide.heading())
        yield Progress(number, len(slides))


class _Slide:
    """Collects one slide: shapes in their order, the title first."""

    def __init__(self, number: str, relations: dict[str, str], archive: Archive, images):
        self.lines: list[str] = []
        self._number, self._relations, self._archive, self._images = number, relations, archive, images
        self._title: list[str] = []
        self._events: list[Event] = []
        self._paragraph: list[str] = []
        self._is_title = self._in_text = self._in_table = self._skip = False
        self._rows: list[list[str]] = []

    def heading(self) -> list[str]:
        """Return the slide's title as a path."""
        title = " ".join(" ".join(self._title).split())
        return [title[:200]] if title else []

    def start(self, tag, attributes):
        if tag in ("sp", "graphicFrame", "pic"):
            self._is_title = False
            self._skip = False
        elif tag == "ph":
            kind = attributes.get("type", "")
            self._is_title = kind in ("title", "ctrTitle")
            self._skip = kind in ("sldNum", "dt", "ftr")
        elif tag == "t":
            self._in_text = True
        elif tag == "p":
            self._paragraph = []
        elif tag == "br":
            self._paragraph.append(" ")
        elif tag == "tbl":
            self._in_table, self._rows = True, []
        elif tag == "tr" and self._in_table:
            self._rows.append([])
        elif tag == "tc" and self._in_table and self._rows:
            self._rows[-1].append("")
        elif tag == "blip" and self._images is not None:
            event = self._images.add(self._archive, self._relations.get(attributes.get("embed", ""), ""))
            if event is not None:
                self._events.append(event)
                self.lines.append(f"![{event.name}](image:{event.number})")
        elif tag == "chart" and self._relations.get(attributes.get("id", "")) in self._archive:
            title, table = drawings.chart(self._archive, self._relations[attributes["id"]])
            if table:
                path = self.heading()
                self._events.append(Block(table, "table", "slide", self._number, [*path, title] if title else path))
        elif tag == "relIds" and self._relations.get(attributes.get("dm", "")) in self._archive:
            self.lines += drawings.diagram(self._archive, self._relations[attributes["dm"]])

    def end(self, tag):
        if tag == "t":
            self._in_text = False
        elif tag == "tbl":
            self._in_table = False
            table = markdown(self._rows)
            if table:
                self._events.append(Block(table, "table", "slide", self._number, self.heading()))
        elif tag == "p":
            text = "".join(self._paragraph).strip()
            self._paragraph = []
            if not text or self._skip:
                return
            if self._in_table and self._rows and self._rows[-1]:
                self._rows[-1][-1] = f"{self._rows[-1][-1]}\n{text}".strip()
            elif self._is_title:
                self._title.append(text)
            else:
                self.lines.append(text)

    def text(self, data):
        if self._in_text:
            self._paragraph.append(data)

    def finish(self) -> Iterator[Event]:
        """Yield the slide's events once it is read."""
        heading = self.heading()
        if heading:
            yield Block(heading[0], "heading", "slide", self._number, heading)
        yield from (event for event in self._events if not isinstance(event, Block))
        if self.lines:
            yield Block("\n".join(self.lines), "text", "slide", self._number, heading)
        yield from (event for event in self._events if isinstance(event, Block))
