"""YAML, read safely: plain data only, within limits, with the line of whatever is wrong.

The reader builds values from the parser's events instead of PyYAML's node graph, so that depth, aliases and size
are bounded before anything is built. Dates stay text, keys become text: what is read can be kept as JSON.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml import events

from sparrow.errors import BadRequest

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100
_TOO_DEEP = f"Nested deeper than {MAX_DEPTH} levels"
MAX_VALUES = 1_000_000  # after aliases are expanded

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = yaml.SafeDumper  # not the C one: its line breaks differ from those of Dify's exports
# YAML 1.1 as Dify's reader has it (`yes`, `on`, octal 017), without dates and without sexagesimal numbers.
_BOOL = {text: value for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
         for word in words for text in (word, word.capitalize(), word.upper())}
_NULL = {"", "~", "null", "Null", "NULL"}
_INT = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?)$")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_TAG = "tag:yaml.org,2002:"


class FormatError(BadRequest):
    """The text is not YAML, or not within the limits; the message names the line."""


def read(text: str | bytes) -> Any:
    """Return the document's value; raise FormatError naming what is wrong and where."""
    size = len(text.encode(errors="surrogatepass")) if isinstance(text, str) else len(text)
    if size > MAX_BYTES:
        raise FormatError("File size exceeds the limit of 10MB", code="file_too_large", status=413)
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"The file is not UTF-8 text (byte {error.start}).") from error
    text = text.removeprefix("\ufeff")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"Invalid character at position {error.start}.") from error
    loader = _Loader(text)
    try:
        return _Builder(loader).document()
    except yaml.YAMLError as error:
        # Newer versions of libyaml have a limit on depth of their own, and read ahead into it before ours is met.
        mark = getattr(error, "problem_mark", None)
        if mark is not None and "nesting depth" in str(error):
            raise FormatError(f"Invalid YAML format: {_TOO_DEEP} (line {mark.line + 1})") from error
        raise FormatError(f"Invalid YAML format: {error}") from error
    finally:
        loader.dispose()


def write(value: Any) -> str:
    """Return a value as YAML the way Dify exports it: keys sorted, Unicode as it is, no aliases."""
    return yaml.dump(value, Dumper=_Plain, allow_unicode=True, sort_keys=True)


class _Plain(_Dumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Builder:
    """One pass over the parser's events, without recursion."""

    def __init__(self, loader):
        self._loader = loader
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0

    def document(self) -> Any:
        loader = self._loader
        loader.get_event()  # stream start
        if loader.check_event(events.StreamEndEvent):
            return None
        loader.get_event()  # document start
        value = self._value()
        loader.get_event()  # document end
        if not loader.check_event(events.StreamEndEvent):
            raise _error("The file holds more than one document", loader.peek_event())
        return value

    def _value(self) -> Any:
        stack: list[_Open] = []
        while True:
            event = self._loader.get_event()
            if isinstance(event, events.SequenceStartEvent | events.MappingStartEvent):
                if len(stack) >= MAX_DEPTH:
                    raise _error(_TOO_DEEP, event)
                self._count(1, event)
                stack.append(_Open(event, self._values))
                continue
            if isinstance(event, events.SequenceEndEvent | events.MappingEndEvent):
                closed = stack.pop()
                value = closed.finish()
                weight = self._values - closed.before + 1
                anchor, where = closed.event.anchor, closed.event
            elif isinstance(event, events.AliasEvent):
                if event.anchor not in self._anchors:
                    raise _error(f"Unknown alias '{event.anchor}'", event)
                value, weight = self._anchors[event.anchor]
                self._count(weight, event)
                anchor, where = None, event
            else:
                self._count(1, event)
                value, weight, anchor, where = _scalar(event), 1, event.anchor, event
            if anchor:
                self._anchors[anchor] = value, weight
            if not stack:
                return value
            stack[-1].add(value, where)

    def _count(self, amount: int, event) -> None:
        self._values += amount
        if self._values > MAX_VALUES:
            raise _error(f"More than {MAX_VALUES} values (aliases counted as often as they are used)", event)


class _Open:
    """A list or mapping that is still being read."""

    __slots__ = ("before", "event", "items", "key", "merges", "waiting")

    def __init__(self, event, before: int):
        tag = event.tag
        mapping = isinstance(event, events.MappingStartEvent)
        if tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            raise _error(f"The tag {tag} is not allowed", event)
        self.event, self.before = event, before
        self.items: Any = {} if mapping else []
        self.merges: list[dict] = []
        self.waiting = False  # a key has been read, its value has not

    def add(self, value: Any, event) -> None:
        if isinstance(self.items, list):
            self.items.append(value)
        elif self.waiting:
            self.waiting = False
            if self.key is _MERGE:
                self._merge(value, event)
            else:
                self.items[self.key] = value
        else:
            self.waiting = True
            plain = isinstance(event, events.ScalarEvent) and event.implicit[0]
            self.key = _MERGE if plain and value == "<<" else _key(value, event)

    def finish(self) -> Any:
        for merged in self.merges:
            for key, value in merged.items():
                self.items.setdefault(key, value)
        return self.items

    def _merge(self, value: Any, event) -> None:
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in merged):
            raise _error("'<<' needs a mapping", event)
        self.merges += merged


_MERGE = object()


def _key(value: Any, event) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)
    raise _error("A mapping's key must be text", event)


def _scalar(event) -> Any:
    text, tag = event.value, event.tag
    if tag in (None, "!"):
        return _plain(text, event) if event.implicit[0] and tag is None else text
    kind = tag.removeprefix(_TAG)
    if kind == "str":
        return text
    if kind in ("int", "float", "bool", "null"):
        return _plain(text, event)
    raise _error(f"The tag {tag} is not allowed", event)


def _plain(text: str, event) -> Any:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.match(text):
        digits = text.replace("_", "")
        bare = digits.lstrip("+-")
        try:
            if bare[:2] in ("0b", "0x"):
                number = int(bare, 0)
            else:
                number = int(bare, 8 if len(bare) > 1 and bare[0] == "0" else 10)
        except ValueError as error:
            raise _error("This number cannot be read", event) from error
        return -number if digits[0] == "-" else number
    if _FLOAT.match(text):
        number = float(text.replace("_", ""))
        if math.isfinite(number):
            return number
        raise _error("This number is too large", event)
    if _NOT_FINITE.match(text):
        raise _error("Infinity and NaN are not allowed", event)
    return text


def _error(message: str, event) -> FormatError:
    mark = event.start_mark
    return FormatError(f"Invalid YAML format: {message} (line {mark.line + 1}, column {mark.column + 1})")
