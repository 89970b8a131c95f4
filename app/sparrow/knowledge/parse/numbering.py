"""The numbers that Word writes before the paragraphs of its lists: 3., 2.1, (b), 第四条."""

from __future__ import annotations

from .archive import Archive

BULLET = "-"
_MAX_LEVEL = 9
_CHINESE = "零一二三四五六七八九"


class Numbering:
    """The lists of a document (`part` is its numbering, None where it has none) and how far each has counted."""

    def __init__(self, archive: Archive, part: str | None):
        self._levels: dict[str, dict[int, dict[str, str]]] = {}  # of each abstract list
        self._abstract: dict[str, str] = {}  # {list: abstract list}
        self._restart: dict[str, dict[int, int]] = {}
        self._counts: dict[str, list[int | None]] = {}
        if part is not None:
            self._read(archive, part)

    def _read(self, archive: Archive, part: str) -> None:
        kind = key = ""
        level = 0

        def start(tag, attributes):
            nonlocal kind, key, level
            value = attributes.get("val", "")
            if tag == "abstractNum":
                kind, key = tag, attributes.get("abstractNumId", "")
                self._levels[key] = {}
            elif tag == "num":
                kind, key = tag, attributes.get("numId", "")
            elif tag == "abstractNumId" and kind == "num":
                self._abstract[key] = value
            elif tag in ("lvl", "lvlOverride") and attributes.get("ilvl", "").isdigit():
                level = int(attributes["ilvl"])
            elif tag == "startOverride" and kind == "num" and value.isdigit():
                self._restart.setdefault(key, {})[level] = int(value)
            elif tag in ("start", "numFmt", "lvlText", "pStyle") and kind == "abstractNum":
                self._levels[key].setdefault(level, {}).setdefault(tag, value)

        archive.sax(part, start, lambda tag: None)

    def level_of(self, number: str, style: str) -> int:
        """Return the level of a list that a paragraph style stands for, 0 where none says so."""
        levels = self._levels.get(self._abstract.get(number, ""), {})
        return next((level for level, rule in levels.items() if rule.get("pStyle") == style), 0)

    def label(self, number: str, level: int) -> str:
        """Count one paragraph of a list and return what stands before it, "" for nothing."""
        if number in ("", "0"):
            return ""
        abstract = self._abstract.get(number)
        levels = self._levels.get(abstract or "")
        if not levels or not 0 <= level < _MAX_LEVEL:
            return BULLET
        counts = self._counts.setdefault(abstract or "", [None] * _MAX_LEVEL)
        for at, first in self._restart.pop(number, {}).items():
            if 0 <= at < _MAX_LEVEL:
                counts[at:] = [first - 1] + [None] * (_MAX_LEVEL - at - 1)
        for at in range(level + 1):
            before = counts[at]
            if before is None or at == level:
                counts[at] = self._first(levels, at) if before is None else before + 1
        counts[level + 1:] = [None] * (_MAX_LEVEL - level - 1)
        rule = levels.get(level, {})
        kind = rule.get("numFmt", "decimal")
        if kind == "bullet":
            return BULLET
        text = rule.get("lvlText", "") if kind != "none" else ""
        for at in range(level + 1):
            text = text.replace(f"%{at + 1}", spelled(counts[at] or 0, levels.get(at, {}).get("numFmt", "decimal")))
        return text.strip()

    @staticmethod
    def _first(levels: dict[int, dict[str, str]], level: int) -> int:
        start = levels.get(level, {}).get("start", "1")
        return int(start) if start.isdigit() else 1


def spelled(number: int, kind: str) -> str:
    """Return a number in one of Word's ways of writing (`numFmt`)."""
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters if kind == "lowerLetter" else letters.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        return _roman(number) if kind == "upperRoman" else _roman(number).lower()
    if kind.startswith(("chineseCounting", "ideographDigital", "taiwaneseCounting", "japaneseCounting")) \
            and 0 < number < 1000:
        return _chinese(number)
    if kind.startswith("decimalEnclosedCircle") and 0 < number <= 20:
        return chr(0x245F + number)
    return f"{number:02d}" if kind == "decimalZero" else str(number)


def _roman(number: int) -> str:
    out = ""
    for value, letters in ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
                           (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        out += letters * (number // value)
        number %= value
    return out


def _chinese(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    out = f"{_CHINESE[hundreds]}百" if hundreds else ""
    if tens:
        out += ("" if tens == 1 and not hundreds else _CHINESE[tens]) + "十"
    elif hundreds and ones:
        out += "零"
    return out + (_CHINESE[ones] if ones else "")
