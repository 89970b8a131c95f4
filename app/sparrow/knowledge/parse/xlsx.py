"""Workbooks (.xlsx) by openpyxl in its streaming mode: each sheet as Markdown tables of some rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from .archive import Archive
from .blocks import Block, Event, ParseError, Progress
from .tables import blocks

_MAX_COLUMNS = 200


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the sheets' rows with the header repeated; the place is the sheet's name."""
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
                for text in blocks(_rows(sheet)):
                    yield Block(text, "table", "sheet", sheet.title, [sheet.title])
                yield Progress(done, len(sheets))
            book.close()
        except (ParseError, MemoryError):
            raise
        except Exception as error:
            raise ParseError("The workbook is damaged. Open it in the program that made it and save it again.",
                             code="corrupt_file") from error


def _rows(sheet) -> Iterator[list[object]]:
    sheet.reset_dimensions()  # the declared size is often wrong
    for row in sheet.iter_rows(values_only=True, max_col=_MAX_COLUMNS):
        values = list(row)
        while values and values[-1] in (None, ""):
            values.pop()
        yield [_plain(value) for value in values]


def _plain(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if hasattr(value, "isoformat"):
        return value.isoformat(sep=" ") if hasattr(value, "hour") and hasattr(value, "year") else value.isoformat()
    return value
