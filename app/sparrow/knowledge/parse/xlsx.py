"""Workbooks (.xlsx) by openpyxl in its streaming mode: each sheet as Markdown tables of some rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

from . import drawings
from .archive import Archive
from .blocks import Block, Event, ParseError, Progress
from .headings import MAX_TITLE
from .tables import MAX_COLUMNS, Numbered, numbered, titled

_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]+)(\d+):[A-Z]+(\d+)\"")
_MAX_MERGED = 2000  # rows of one merged cell
_MIDNIGHT = time()


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the sheets' rows with the header repeated, their charts and pictures; the place is the sheet's name."""
    archive = Archive(path)
    if "xl/workbook.xml" not in archive:
        raise ParseError("The file is no workbook.", code="mislabelled_file")
    for name in archive.names:  # openpyxl parses these itself: no entities, no lies about size
        if name.endswith(".xml") and re.search(rb"<!(DOCTYPE|ENTITY)", archive.read(name)[:4096]):
            raise ParseError("The file declares XML entities, which workbooks do not need; it was not read.",
                             code="corrupt_file")
    import openpyxl

    # Opened here: by a path openpyxl judges the file by its name, and ours have none.
    with open(path, "rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            sheets = book.worksheets
            for done, sheet in enumerate(sheets, start=1):
                yield from _sheet(sheet, archive, images)
                yield Progress(done, len(sheets))
            book.close()
        except (ParseError, MemoryError):
            raise
        except Exception as error:
            raise ParseError("The workbook is damaged. Open it in the program that made it and save it again.",
                             code="corrupt_file") from error


def _sheet(sheet, archive: Archive, images) -> Iterator[Event]:
    part = sheet._worksheet_path.lstrip("/")
    titles, rows = titled(_rows(sheet, _merged(archive.read(part))))
    heading = [sheet.title]
    if titles:
        heading = [sheet.title, titles[0][:MAX_TITLE]]
        yield Block("\n".join(titles), "heading", "sheet", sheet.title, heading)
    for text, numbers in numbered(rows):
        yield Block(text, "table", "sheet", sheet.title, heading, [f"{sheet.title}!{number}" for number in numbers])
    drawing = archive.related(part, "drawing")
    if drawing is None:
        return
    for target in archive.relations(drawing).values():
        if "/charts/chart" in f"/{target}" and target in archive:
            title, table = drawings.chart(archive, target)
            if table:
                yield Block(table, "table", "sheet", sheet.title, [*heading, title] if title else heading)
        elif images is not None and (event := images.add(archive, target)) is not None:
            yield event
            yield Block(f"![{event.name}](image:{event.number})", "text", "sheet", sheet.title, heading)


def _merged(data: bytes) -> dict[int, list[int]]:
    """Return {row: columns} of the cells (from 1 and 0) that are one with the cell above, of a sheet's XML."""
    found: dict[int, list[int]] = {}
    count = 0
    for left, top, bottom in _MERGE.findall(data, max(data.rfind(b"</sheetData>"), data.rfind(b":sheetData>"))):
        if len(left) > 3 or len(top) > 7 or len(bottom) > 7:
            continue
        column = 0
        for letter in left:
            column = column * 26 + letter - 64
        for row in range(int(top) + 1, min(int(bottom), int(top) + _MAX_MERGED) + 1):
            count += 1
            if count > _MAX_MERGED * 10 or column > MAX_COLUMNS:
                break
            found.setdefault(row, []).append(column - 1)
    return found


def _rows(sheet, merged: dict[int, list[int]]) -> Iterator[Numbered]:
    sheet.reset_dimensions()  # the declared size is often wrong
    above: list[object] = []
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        values = [_plain(cell) for cell in row]
        while values and values[-1] in (None, ""):
            values.pop()
        if values:
            for column in merged.get(number, ()):
                if column < len(above):
                    values += [None] * (column + 1 - len(values))
                    values[column] = above[column]
        above = values or above
        yield number, values


def _plain(cell) -> object:
    """Return a cell's value about as the workbook shows it."""
    value = cell.value
    if isinstance(value, float):
        if "%" in (cell.number_format or ""):
            return f"{round(value * 100, 6):.10g}%"
        # Fifteen digits, as the workbook has: 0.1 + 0.2 is 0.3 there.
        return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.15g}")
    if isinstance(value, int) and not isinstance(value, bool) and value and "%" in (cell.number_format or ""):
        return f"{value * 100}%"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ") if value.time() != _MIDNIGHT else value.date().isoformat()
    if isinstance(value, timedelta):  # a number of hours, which may be more than a day's
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return value.isoformat() if hasattr(value, "isoformat") else value
