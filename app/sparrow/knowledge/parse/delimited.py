"""CSV and TSV: Markdown tables of some rows each, every one with the header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event, ParseError
from .charset import decode
from .headings import MAX_TITLE
from .tables import Numbered, numbered, titled


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the rows of a delimited file; the place counts lines."""
    titles, table = titled(rows(decode(path.read_bytes())))
    if titles:
        yield Block("\n".join(titles), "heading", "line", "1", [titles[0][:MAX_TITLE]])
    for text, lines in numbered(table):
        yield Block(text, "table", "line", str(lines[0]), [titles[0][:MAX_TITLE]] if titles else [],
                    list(map(str, lines)))


def rows(text: str) -> Iterator[Numbered]:
    """Yield the lines where rows of delimited text begin, and the rows; the delimiter is the one that splits the first
    lines most evenly."""
    csv.field_size_limit(16 << 20)
    told = re.match(r"sep=(.)\n", text)  # a line that Excel writes and does not show
    text = text[told.end():] if told else text
    try:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=told[1] if told else delimiter(text))
        line = first = 2 if told else 1
        for row in table:
            yield line, row
            line = first + table.line_num  # a cell may have several lines
    except csv.Error as error:
        raise ParseError(f"The table cannot be read: {error}.", code="corrupt_file") from error


def delimiter(text: str) -> str:
    """Return the column separator of delimited text: comma, semicolon, tab or bar."""
    lines = [line for line in text[:20000].split("\n")[:20] if line.strip()]
    best, score = ",", 0.0
    for candidate in ",;\t|":
        counts = [line.count(candidate) for line in lines]
        mean = sum(counts) / max(len(counts), 1)
        if mean < 0.5:
            continue
        spread = sum(abs(count - mean) for count in counts) / len(counts)
        value = mean / (1 + spread)
        if value > score:
            best, score = candidate, value
    return best
