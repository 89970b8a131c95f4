"""Tables as Markdown, whatever they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

ROWS_PER_BLOCK = 40


def cell(value: object) -> str:
    """Return a cell's text on one line, with the column separator escaped."""
    return " ".join(str(value).split()).replace("|", "\\|") if value is not None else ""


def markdown(rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; the first row is the header. Short rows are filled up, empty tables give ""."""
    lines = [[cell(value) for value in row] for row in rows]
    lines = [row for row in lines if any(row)]
    if not lines:
        return ""
    width = max(map(len, lines))
    lines = [row + [""] * (width - len(row)) for row in lines]
    out = ["| " + " | ".join(row) + " |" for row in lines]
    out.insert(1, "|" + " --- |" * width)
    return "\n".join(out)


def blocks(rows: Iterable[Iterable[object]], size: int = ROWS_PER_BLOCK) -> Iterator[str]:
    """Yield Markdown tables of at most `size` rows, each with the header: a sheet of any length stays flat."""
    header, group, yielded = None, [], False
    for row in rows:
        row = list(row)
        if not any(value not in (None, "") for value in row):
            continue
        if header is None:
            header = row
            continue
        group.append(row)
        if len(group) >= size:
            yield markdown([header, *group])
            group, yielded = [], True
    if group or (header is not None and not yielded):
        yield markdown([header, *group])
