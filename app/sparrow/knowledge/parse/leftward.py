"""Words written from right to left, on a page that holds their letters as they were drawn."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

LETTERS = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WORD = re.compile(r"\S+")
_FORMS = re.compile(r"[\ufb1d-\ufdff\ufe70-\ufefc]+")
_TURNED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def sorted_out(line: str, middle: Callable[[int], float]) -> tuple[str, list[int]]:
    """Return a line with the signs of each word in the order they are read, and where each of them stood.

    `middle` gives the horizontal middle of a sign by its place in the line. The words' own order is right.
    """
    order: list[int] = []
    end = 0
    for word in _WORD.finditer(line):
        order += range(end, word.start())
        order += _read(line, range(word.start(), word.end()), middle) if len(word[0]) > 1 else range(*word.span())
        end = word.end()
    order += range(end, len(line))
    return _paired("".join(line[at] for at in order)), order


def plain(text: str) -> str:
    """Return text with the letters themselves for their forms at the beginning, middle and end of words."""
    return _FORMS.sub(lambda forms: unicodedata.normalize("NFKC", forms[0]), text)


def _read(line: str, places: range, middle: Callable[[int], float]) -> list[int]:
    """Return the places of a word's signs as they are read: from the right, but numbers and Latin from the left."""
    signs: list[tuple[float, list[int]]] = []  # each with the marks above and below it
    loose: list[int] = []  # marks drawn before their letter
    for at in places:
        x = middle(at)
        if unicodedata.category(line[at]) == "Mn":
            if signs and not loose and (at + 1 == places.stop or abs(x - signs[-1][0]) <= abs(x - middle(at + 1))):
                signs[-1][1].append(at)
            else:
                loose.append(at)
        else:
            signs.append((x, [at, *loose]))
            loose = []
    signs.sort(key=lambda sign: -sign[0])
    found: list[int] = []
    run: list[list[int]] = []  # Latin letters and digits, and what stands between them
    between: list[list[int]] = []
    for _, sign in signs:
        kind = unicodedata.bidirectional(line[sign[0]])
        if kind in ("L", "EN", "AN"):
            run, between = [*run, *between, sign], []
        elif run and kind not in ("R", "AL"):
            between.append(sign)
        else:
            found += [at for part in (*reversed(run), *between, sign) for at in part]
            run, between = [], []
    return [*found, *(at for part in (*reversed(run), *between) for at in part), *loose]


def _paired(line: str) -> str:
    """Return a line whose brackets open before they close: drawn from right to left they are mirrored."""
    depth, wrong = 0, 0
    for sign in line:
        depth += (sign in "([{«") - (sign in ")]}»")
        if depth < 0:
            wrong, depth = wrong + 1, 0
    if not wrong:
        return line
    # The blank before a bracket is drawn with it and comes behind it.
    return re.sub(r"(?<=\w)([(\[{«])\s(?=\w)", r" \1", line.translate(_TURNED))
