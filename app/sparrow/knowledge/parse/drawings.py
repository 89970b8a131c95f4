"""Charts and diagrams of Office files: the numbers and words they show."""

from __future__ import annotations

from .archive import Archive
from .tables import MAX_COLUMNS, markdown

_MAX_POINTS = 500


def chart(archive: Archive, part: str) -> tuple[str, str]:
    """Return a chart's title and its numbers as a Markdown table: a row a category, a column a series."""
    title: list[str] = []
    names: list[str] = []
    categories: dict[int, str] = {}
    values: list[dict[int, str]] = []
    open_tags: list[str] = []
    point = 0

    def start(tag, attributes):
        nonlocal point
        open_tags.append(tag)
        if tag == "ser":
            names.append("")
            values.append({})
        elif tag == "pt" and attributes.get("idx", "").isdigit():
            point = int(attributes["idx"])

    def end(tag):
        open_tags.pop()

    def text(data):
        if open_tags[-1] == "t" and "title" in open_tags and "ser" not in open_tags and "catAx" not in open_tags \
                and "valAx" not in open_tags:
            title.append(data)
        elif open_tags[-1] == "v" and values and "ser" in open_tags and point < _MAX_POINTS:
            if "val" in open_tags or "yVal" in open_tags:
                values[-1][point] = values[-1].get(point, "") + data
            elif "cat" in open_tags or "xVal" in open_tags:
                if len(values) == 1:
                    categories[point] = categories.get(point, "") + data
            elif "tx" in open_tags:
                names[-1] += data

    archive.sax(part, start, end, text)
    points = sorted(set(categories).union(*values))
    rows = [[categories.get(at, ""), *(series.get(at, "") for series in values[:MAX_COLUMNS])] for at in points]
    return " ".join("".join(title).split()), markdown([["", *names[:MAX_COLUMNS]], *rows]) if rows else ""


def diagram(archive: Archive, part: str) -> list[str]:
    """Return the lines of a diagram (SmartArt), in its own order."""
    lines: list[str] = []
    paragraph: list[str] = []
    inside = False

    def start(tag, attributes):
        nonlocal inside
        inside = tag == "t" and not attributes
        if tag == "p":
            paragraph.clear()

    def end(tag):
        nonlocal inside
        inside = False
        if tag == "p" and "".join(paragraph).strip():
            lines.append(" ".join("".join(paragraph).split()))

    def text(data):
        if inside:
            paragraph.append(data)

    archive.sax(part, start, end, text)
    return lines
