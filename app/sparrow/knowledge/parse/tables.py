"""Tables as Markdown, whatever they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

ROWS_PER_BLOCK = 40
MAX_COLUMNS = 200
MAX_TITLES = 4
_WIDEST = 2000  # columns; a few cells may claim to cover millions


BREAK = "<br>"  # what Markdown has for the end of a line in a cell


def cell(value: object) -> str:
    """Return a cell's text as Markdown holds it: BREAK between its lines, the column separator escaped."""
    if value is None:
        return ""
    lines = (" ".join(line.split()) for line in str(value).splitlines())
    return BREAK.join(line for line in lines if line).replace("|", "\\|")


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


def spread(rows: Iterable[Iterable[tuple[str, int, int]]]) -> Iterator[list[str]]:
    """Yield rows of texts from rows of cells (text, columns, rows), each column's values below each other.

    A cell over several rows stands in each of them, for a row has to be understood alone; one over several columns
    stands in the first.
    """
    hanging: dict[int, tuple[str, int]] = {}
    for cells in rows:
        line: list[str] = []
        kept: dict[int, tuple[str, int]] = {}
        waiting = list(cells)[::-1]
        while (waiting or hanging) and len(line) < _WIDEST:
            column = len(line)
            if column in hanging:
                text, high = hanging.pop(column)
                line.append(text)
                if high > 1:
                    kept[column] = (text, high - 1)
            elif waiting:
                text, wide, high = waiting.pop()
                for at in range(column, column + min(max(wide, 1), MAX_COLUMNS)):
                    hanging.pop(at, None)
                    line.append(text if at == column else "")
                    if high > 1:
                        kept[at] = (line[at], high - 1)
            else:
                line.append("")
        hanging = kept
        yield line


Numbered = tuple[int, list[object]]  # a row and where it stands


def titled(rows: Iterable[Numbered]) -> tuple[list[str], Iterator[Numbered]]:
    """Return the title lines that stand above a table in cells of their own, and the rows from its header on."""
    rows = iter(rows)
    above: list[Numbered] = []
    for number, row in rows:
        filled = sum(value not in (None, "") for value in row)
        if filled > 1 and len(above) <= MAX_TITLES:
            return [" ".join(str(value).split()) for _, one in above for value in one if value not in (None, "")], \
                chain([(number, row)], rows)
        if filled:
            above.append((number, row))
        if len(above) > MAX_TITLES:
            break
    return [], chain(above, rows)


def blocks(rows: Iterable[Iterable[object]], size: int = ROWS_PER_BLOCK) -> Iterator[str]:
    """Yield Markdown tables of at most `size` rows, each with the header: a sheet of any length stays flat."""
    for text, _ in numbered(((0, list(row)) for row in rows), size):
        yield text


def numbered(rows: Iterable[Numbered], size: int = ROWS_PER_BLOCK) -> Iterator[tuple[str, list[int]]]:
    """Yield tables as `blocks` does, with the numbers of their rows, and of the header where it is not repeated."""
    header, group, numbers = None, [], []
    for number, row in rows:
        if not any(str(value).strip() for value in row if value is not None):
            continue
        if header is None:
            header, numbers = row, [number]
            continue
        group.append(row)
        numbers.append(number)
        if len(group) >= size:
            yield markdown([header, *group]), numbers
            group, numbers = [], []
    if numbers:
        yield markdown([header, *group]), numbers
