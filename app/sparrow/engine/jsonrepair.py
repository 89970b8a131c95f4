"""Read JSON that people and models write: fences, comments around it, bare words, trailing commas, open ends."""

from __future__ import annotations

import json
import re
from typing import Any

from sparrow.characters import whole

_BARE = re.compile(r"[^,:\[\]{}\n]+")
_MAX_DEPTH = 100
# What follows the quote that ends a value; any other quote belongs to the text, whose writer forgot to escape it.
_AFTER_MEMBER = re.compile(r"""\s*(?:[}\]]|$|,\s*(?:["'}\]]|$|[\w$-]+\s*:)|["'][^"'\n]*["']\s*:)""")
_AFTER_ITEM = re.compile(r"""\s*(?:[}\]]|$|,\s*(?:["'{}\[\]\d-]|$|true|false|null|True|False|None))""")


def loads(text: str) -> Any:
    """Return the value of strict JSON, else of repaired JSON; raise ValueError if there is none."""
    try:
        return whole(json.loads(text))
    except (ValueError, RecursionError):
        pass
    found = extract(text)
    if found is None:
        raise ValueError("no JSON found")
    return found


def extract(text: str) -> Any:
    """Return the first object or array found in a text, repaired if need be; None without one."""
    for match in re.finditer(r"[{\[]", text):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, match.start())
            return whole(value)
        except (ValueError, RecursionError):
            break
    start = re.search(r"[{\[]", text)
    if start is None:
        return None
    try:
        return whole(_Reader(text, start.start()).value(0))
    except (IndexError, ValueError, RecursionError):
        return None


class _Reader:
    def __init__(self, text: str, at: int):
        self.text = text
        self.at = at

    def _space(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, depth: int, after: re.Pattern[str] = _AFTER_MEMBER) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("too deep")
        char = self._space()
        if char == "{":
            return self._object(depth)
        if char == "[":
            return self._array(depth)
        if char in ('"', "'"):
            return self._string(char, after)
        return self._bare()

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while True:
            char = self._space()
            if char in ("", "}"):
                self.at += 1
                return found
            if char == ",":
                self.at += 1
                continue
            key = self._string(char) if char in ('"', "'") else str(self._bare())
            if self._space() == ":":
                self.at += 1
                found[key] = "" if self._space() in (",", "}", "") else self.value(depth + 1)
            elif self._space():
                found[key] = ""
            # else the text was cut off in the middle of a name: it is left out

    def _array(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while True:
            char = self._space()
            if char in ("", "]", "}"):
                self.at += char != "}"
                return found
            if char in (",", ":"):
                self.at += 1
                continue
            found.append(self.value(depth + 1, _AFTER_ITEM))

    def _string(self, quote: str, after: re.Pattern[str] | None = None) -> str:
        self.at += 1
        out: list[str] = []
        escapes = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == quote and (after is None or after.match(self.text, self.at + 1)):
                break
            if char == "\\" and self.at + 1 < len(self.text):
                self.at += 1
                char = self.text[self.at]
                if char == "u":
                    out.append(chr(int(self.text[self.at + 1:self.at + 5], 16)))
                    self.at += 5
                    continue
                char = escapes.get(char, char)
            out.append(char)
            self.at += 1
        self.at += 1
        return "".join(out)

    def _bare(self) -> Any:
        match = _BARE.match(self.text, self.at)
        if match is None:
            self.at += 1
            raise ValueError("nothing to read")
        self.at = match.end()
        word = match[0].strip()
        try:
            return json.loads(word)
        except ValueError:
            return {"True": True, "False": False, "None": None}.get(word, word)
