"""Reading order of a page: columns that are drawn line by line across the page, one put after the other.

What a page draws column after column comes so already, and tables are read row by row: a strip that stays white is
taken for the space between columns only where running text stands on both its sides.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec


class Line(msgspec.Struct):
    """One printed line: its text, font size, left edge, right edge and baseline, in points.

    A line written from right to left has its beginning, the right edge, as `left`. `at` is the index of its first
    letter on the page, `turned` the quarters of a turn the letters are shown by.
    """

    text: str
    size: float
    left: float
    right: float
    y: float
    at: int = 0
    turned: int = 0

    def span(self) -> tuple[float, float]:
        """Return the edges from left to right, whatever the direction."""
        return (self.left, self.right) if self.left <= self.right else (self.right, self.left)


class _Row(NamedTuple):
    """A line as the page draws it, and its pieces between wide blanks."""

    line: Line
    pieces: list[Line]


Span = tuple[float, float]
Pieces = Callable[[Line, float], list[Line]]  # a line and a width in points, to the pieces between blanks so wide

_LEAST = 6  # lines that stand beside others in columns
_WIDE = 0.9  # of the font size: a blank that may be the space between columns
_WIDTH = 10  # of the font size: the narrowest column
_ROOM = 0.7  # of its column's width: a line of text rather than a word that stands alone
_LONGEST = 12  # letters of a word that made a line end early
_SAMPLE = 9  # lines whose blanks are measured
_GLANCE = 3  # of them decide whether the others are
TERMINAL = tuple("。！？；：.!?;:”」』")
_MOST = 1500  # lines of a page; maps and plans have more, and no columns
_DEPTH = 4  # columns in columns
_CHARACTERS = 200  # of a page: fewer are no text in columns
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7a3\uff00-\uffef]{1,2}|\S+")


def ordered(lines: list[Line], pieces: Pieces) -> list[Line]:
    """Return a page's lines in the order they are read, those that go through several columns cut into their parts.

    `pieces(line, width)` cuts a line at blanks of at least `width` points and where it jumps back. It is dear: on
    usual pages few lines are cut.
    """
    if len(lines) > _MOST or sum(len(line.text) for line in lines) < _CHARACTERS or not _suspect(lines, pieces):
        return lines
    rows = [row for line in lines for row in _printed(pieces(line, _WIDE * line.size))]
    found = _read(rows) if sum(len(row.pieces) for row in rows) <= 2 * _MOST else rows
    return lines if found is rows else [row.line for row in found]


def _suspect(lines: list[Line], pieces: Pieces) -> bool:
    """Tell whether there may be columns drawn across."""
    if sum(_beside(a, b) is not None for a, b in itertools.pairwise(lines)) >= _LEAST:
        return True
    long = sorted(len(line.text) for line in lines)[len(lines) * 9 // 10]
    wide = [line for line in lines if len(line.text) > long * 0.6]
    sample = wide[len(wide) // _SAMPLE // 2::max(len(wide) // _SAMPLE, 1)]
    step = _SAMPLE // _GLANCE
    rows: list[_Row] = []
    for some in (sample[step // 2::step] or sample, [line for at, line in enumerate(sample) if at % step != step // 2]):
        rows += [row for line in some for row in _printed(pieces(line, _WIDE * line.size))]
        if not _whites(rows):
            return False
    return next(_gutters(rows, len(rows) // 4), None) is not None


def _printed(pieces: list[Line]) -> list[_Row]:
    """Return pieces as rows of one height: lines of two columns that stand at different heights are drawn as one."""
    rows: list[list[Line]] = []
    for piece in pieces:
        if rows and abs(rows[-1][-1].y - piece.y) < piece.size / 2 and _forward(rows[-1][-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [_Row(_joined(row), row) for row in rows]


def _forward(a: Line, b: Line) -> bool:
    return b.span()[0] >= a.span()[1] if a.left <= a.right else b.span()[1] <= a.span()[0]


def _whites(rows: list[_Row]) -> list[Span]:
    """Return the white between pieces and lines that stand beside each other."""
    return [white for a, b in itertools.pairwise(piece for row in rows for piece in row.pieces)
            if min(abs(a.right - a.left), abs(b.right - b.left)) > _WIDTH / 2 * min(a.size, b.size)
            and (white := _beside(a, b)) is not None]


def _gutters(rows: list[_Row], least: int = _LEAST) -> Iterator[float]:
    """Yield places where white stands between at least so many pieces, the most frequent first."""
    whites = _whites(rows)
    for _ in range(_DEPTH):
        count, best, x = 0, 0, 0.0
        edges = sorted([(start, 1) for start, _ in whites] + [(end, -1) for _, end in whites])
        for (place, step), (after, _) in itertools.pairwise(edges):
            count += step
            if count > best:
                best, x = count, (place + after) / 2
        if best < max(least, 2):
            return
        yield x
        whites = [(start, end) for start, end in whites if not start < x < end]


def _read(rows: list[_Row], depth: int = 0) -> list[_Row]:
    gutters = list(_gutters(rows)) if depth < _DEPTH else []
    for x in gutters:
        parts = list(_parts(rows, x, gutters))
        if len(parts) > 1:
            return [row for part in parts for row in _read(part, depth + 1)]
    return rows


def _parts(rows: list[_Row], x: float, gutters: list[float]) -> Iterator[list[_Row]]:
    """Yield the rows in parts to be read one after another: what goes across x, and columns on its sides."""
    waiting: list[_Row] = []
    for across, group in itertools.groupby(rows, lambda row: any(a < x < b for a, b in map(Line.span, row.pieces))):
        for columns, part in [(False, list(group))] if across else _bands(list(group), x, gutters):
            if not columns:
                waiting += part
                continue
            if waiting:
                yield waiting
            sides = _sides(part, x)
            yield from reversed(sides) if _leftwards(part) else sides
            waiting = []
    if waiting:
        yield waiting


def _sides(rows: list[_Row], x: float) -> tuple[list[_Row], list[_Row]]:
    """Return the rows left and right of x."""
    sides: tuple[list[_Row], list[_Row]] = [], []
    for row in rows:
        for side, pieces in zip(sides, ([piece for piece in row.pieces if piece.span()[1] <= x],
                                        [piece for piece in row.pieces if piece.span()[0] >= x]), strict=True):
            side += [row] if len(pieces) == len(row.pieces) else _printed(pieces)
    return sides


def _joined(pieces: list[Line]) -> Line:
    first = pieces[0]
    if len(pieces) == 1:
        return first
    return Line(" ".join(piece.text for piece in pieces), first.size, first.left, pieces[-1].right, first.y, first.at,
                first.turned)


def _leftwards(rows: list[_Row]) -> bool:
    """Tell whether most letters are written from right to left: so are the columns read then."""
    letters = [letter for row in rows for letter in row.line.text if letter.isalpha()][:500]
    return sum(unicodedata.bidirectional(letter) in ("R", "AL") for letter in letters) * 2 > len(letters)


def _bands(rows: list[_Row], x: float, gutters: list[float]) -> Iterator[tuple[bool, list[_Row]]]:
    """Yield rows in parts, each with whether it is columns: running heads, names of authors and tables are not."""
    sides = _sides(rows, x)
    if min(map(len, sides)) < _LEAST:
        yield False, rows
        return
    widths = [sorted(width for row in side for width in _widths(row, gutters)) for side in sides]
    usual = [some[len(some) * 3 // 4] for some in widths]
    # Between lines of running text less than three beside each other are headings.
    parts = [(_running(group, x, usual, gutters), group) for group in _groups(rows)]
    running = [at for at, (text, _) in enumerate(parts) if text]
    for columns, some in itertools.groupby(enumerate(parts), lambda part: bool(
            running and running[0] <= part[0] <= running[-1]
            and (part[1][0] or sum(map(_across, part[1][1], itertools.repeat(x))) < 3))):
        band = [row for _, (_, group) in some for row in group]
        yield columns and _columns(band, x, gutters) is not None, band


def _across(row: _Row, x: float) -> bool:
    """Tell whether a row begins on one side of x and ends on the other."""
    return (row.pieces[0].span()[1] <= x) != (row.pieces[-1].span()[1] <= x)


def _groups(band: list[_Row]) -> list[list[_Row]]:
    """Return the rows in groups between which white goes through both columns, or the font's size changes."""
    steps = ((a.line.y - b.line.y, a.line.size) for a, b in itertools.pairwise(band))
    pitches = sorted(step for step, size in steps if step > size * 0.6)
    pitch = pitches[len(pitches) // 2] if pitches else 0.0
    groups, lowest, size = [[band[0]]], band[0].line.y, band[0].line.size
    for row in band[1:]:
        if lowest - row.line.y > pitch * 1.4 or abs(row.line.size - size) > size * 0.12:
            groups.append([])
        groups[-1].append(row)
        lowest, size = min(lowest, *(piece.y for piece in row.pieces), row.line.y), row.line.size
    return groups


def _widths(row: _Row, gutters: list[float]) -> Iterator[float]:
    """Yield the widths of a row's parts between gutters."""
    for _, pieces in itertools.groupby(row.pieces, lambda piece: sum(piece.span()[0] > x for x in gutters)):
        left, right = zip(*map(Line.span, pieces), strict=True)
        yield max(right) - min(left)


def _running(rows: list[_Row], x: float, usual: list[float], gutters: list[float]) -> bool:
    """Tell whether on one side at least half of the lines are about as long as they usually are."""
    for side, width in zip(_sides(rows, x), usual, strict=True):
        widths = [width for row in side for width in _widths(row, gutters)]
        if widths and sum(one >= _ROOM * width for one in widths) * 2 >= len(widths):
            return True
    return False


def _columns(rows: list[_Row], x: float, gutters: list[float]) -> list[list[float]] | None:
    """Return the heights at which paragraphs begin in each column, where rows are running text in columns beside x
    drawn across them, else None. `gutters` may part the columns further.
    """
    sides = _sides(rows, x)
    shorter = min(map(len, sides))
    turns = sum(_across(row, x) for row in rows) \
        + sum(_beside(a.line, b.line) is not None for a, b in itertools.pairwise(rows))
    if shorter < _LEAST or turns < max(_LEAST, shorter / 2):
        return None
    columns: list[list[float]] = []
    others = [other for other in gutters if other != x]
    for side in sides:
        starts = _starts(side)
        parted = [starts] if starts is not None else next(
            filter(None, (_columns(side, other, others) for other in others)), None)
        if parted is None:
            return None
        columns += parted
    near = sides[0][0].line.size / 2
    for left, right in itertools.pairwise(columns):
        together = sum(any(abs(a - b) < near for b in right) for a in left)
        if together >= max(3, 0.6 * max(len(left), len(right))):  # rows of a table begin at one height
            return None
    return columns


def _starts(side: list[_Row]) -> list[float] | None:
    """Return the heights at which a column's paragraphs begin, None for what is no running text."""
    lines = [row.line for row in side]
    left, right = _edges(lines)
    size = sorted(line.size for line in lines)[len(lines) // 2]
    pieces = [abs(piece.right - piece.left) for row in side for piece in row.pieces]
    if right - left < _WIDTH * size or sum(pieces) < _WIDTH / 2 * size * len(pieces):
        return None
    full = _full(lines, right - left)
    ended = sum(goes_on or line.text.endswith(TERMINAL) for line, goes_on in zip(lines, full, strict=False))
    going_on = sum(line.text[0].isalpha() and not line.text[0].isupper() for line in lines)
    signs = Counter(unicodedata.category(sign)[0] for line in lines for sign in line.text)
    if sum(full) < 0.5 * len(full) or ended < 0.65 * len(full) or going_on < 0.35 * len(lines) \
            or signs["L"] + signs["M"] < 0.7 * (signs.total() - signs["Z"]):
        return None
    return [line.y for line, goes_on in zip(lines[1:], full, strict=True) if not goes_on]


def _beside(a: Line, b: Line) -> Span | None:
    """Return the white between two lines that stand beside each other, None for others."""
    if abs(a.y - b.y) > 0.9 * max(a.size, b.size):
        return None
    (_, end), (start, _) = sorted((a.span(), b.span()))
    return (end, start) if start - end >= _WIDE * min(a.size, b.size) else None


def _edges(lines: list[Line]) -> Span:
    """Return the edges of a column; a few lines may go beyond them."""
    beyond = len(lines) // 20
    return sorted(line.span()[0] for line in lines)[beyond], sorted(line.span()[1] for line in lines)[-1 - beyond]


def _full(lines: list[Line], width: float) -> list[bool]:
    """Tell of each line but the last whether it goes on in the next, whose first word would not have fitted on it."""
    steps = sorted(a.y - b.y for a, b in itertools.pairwise(lines))
    pitch = steps[len(steps) // 2] if steps else 0.0
    full = []
    for line, after in itertools.pairwise(lines):
        long = abs(line.right - line.left)
        word = _WORD.match(after.text)
        room = (min(len(word[0]), _LONGEST) + 1) * long / len(line.text) if word else 0.0
        full.append(long + room > width and line.y - after.y < pitch * 1.5)
    return full
