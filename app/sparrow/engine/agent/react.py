"""Reads a ReAct reply while it streams: what the model thinks, letter by letter, and the actions it names.

`Thought:` and `Action:` are signposts and not shown. An action is a JSON object, bare or in a code fence, with a key
for its input and another for its name; any other JSON is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sparrow.characters import whole

_SIGNPOSTS = ("action:", "thought:")
_FENCED = re.compile(r"```[json]*\s*([\[{].*[\]}])\s*```", re.DOTALL | re.IGNORECASE)
_LONGEST = 100_000  # characters of one JSON object or fence; what is longer is text


@dataclass(slots=True)
class Action:
    """What the model wants done: a tool's name and its input, or "Final Answer" and the answer."""

    name: str
    input: Any

    @property
    def final(self) -> bool:
        """Tell whether this is the answer."""
        return self.name.strip().lower() == "final answer"

    def text(self) -> str:
        """Return it as the model is shown it again."""
        return json.dumps({"action": self.name, "action_input": self.input}, ensure_ascii=False)


class Reader:
    """Takes a reply piece by piece. The pieces of text it gives are what Dify's clients see, empty ones included."""

    def __init__(self) -> None:
        self._last = ""  # the character before
        self._ticks = 0  # backquotes in a row
        self._fence = ""  # a code fence so far, or the backquotes that may begin one
        self._in_fence = False
        self._json = ""
        self._depth = 0
        self._sign = ""  # the beginning of a signpost

    def feed(self, text: str) -> Iterator[str | Action]:
        """Yield what a piece brings."""
        for char in text:
            yield from self._one(char)

    def end(self) -> Iterator[str | Action]:
        """Yield what was held back."""
        for held in (self._sign, self._fence):
            if held:
                yield held
        if self._json:
            yield _action(self._json)

    def _one(self, char: str) -> Iterator[str | Action]:
        before, self._last = self._last, char
        if self._depth:
            yield from self._inside_json(char)
            return
        if char == "`":
            yield from self._tick()
            return
        if self._in_fence:
            self._ticks = 0
            self._fence += char
            if len(self._fence) > _LONGEST:
                yield self._fence
                self._fence, self._in_fence = "", False
            return
        if self._ticks:
            yield self._fence
        self._fence, self._ticks = "", 0
        if self._is_sign(char, before):
            if self._sign.lower() in _SIGNPOSTS:
                self._sign = ""
            return
        if self._sign:
            yield self._sign
            self._sign = ""
        if char == "{":
            self._json, self._depth = char, 1
        else:
            yield char

    def _is_sign(self, char: str, before: str) -> bool:
        """Keep a character that may belong to a signpost; one begins after white space only."""
        longer = (self._sign + char).lower()
        if (not self._sign and before not in ("", " ", "\n")) or not any(
                post.startswith(longer) for post in _SIGNPOSTS):
            return False
        self._sign += char
        return True

    def _inside_json(self, char: str) -> Iterator[str | Action]:
        self._json += char
        self._depth += {"{": 1, "}": -1}.get(char, 0)
        if not self._depth:
            yield _action(self._json)
            self._json = ""
        elif len(self._json) > _LONGEST:
            yield self._json
            self._json, self._depth = "", 0

    def _tick(self) -> Iterator[str | Action]:
        if self._sign:
            yield self._sign
            self._sign = ""
        self._fence += "`"
        self._ticks += 1
        if self._ticks < 3:
            if not self._in_fence:
                yield ""
            return
        self._ticks = 0
        if not self._in_fence:
            self._in_fence = True
            return
        found = _actions(self._fence)
        yield from found or [self._fence]
        if found:
            yield ""
        self._fence, self._in_fence = "", False


def _actions(fence: str) -> list[str | Action]:
    found: list[str | Action] = []
    for block in _FENCED.findall(fence):
        try:
            found.append(_action(whole(json.loads(block, strict=False))))
        except ValueError:
            return []
    return found


def _action(found: Any) -> str | Action:
    """Return the action in some JSON; what names none is text."""
    if isinstance(found, str):
        try:
            found = whole(json.loads(found, strict=False))
        except (ValueError, RecursionError):
            return found
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        return json.dumps(found, ensure_ascii=False)
    name = given = None
    for key, value in found.items():
        if "input" in key.lower():
            given = value
        else:
            name = value
    if not isinstance(name, str) or given is None:
        return json.dumps(found, ensure_ascii=False)
    return Action(name, given)
