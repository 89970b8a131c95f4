"""JSON, JSON lines and XML data: readable lines of path and value, one block an item."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from .archive import sax
from .blocks import Block, Event, ParseError
from .charset import codec, decode

_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", re.I)
_GROUP = 1200  # characters of small items that share a block


def parse_json(path: Path, images) -> Iterator[Event]:
    """Yield a block for each item of the outermost list or object (or line, for JSON lines)."""
    text = decode(path.read_bytes())
    try:
        items = json.loads(text)
    except RecursionError as error:
        raise ParseError("The JSON is nested too deeply.", code="corrupt_file") from error
    except ValueError as error:
        items = _lines(text, error)
    if isinstance(items, dict):
        parts = ((str(key), value) for key, value in items.items())
    elif isinstance(items, list):
        parts = (("", value) for value in items)
    else:
        parts = iter([("", items)])
    group: list[str] = []
    for key, value in parts:
        lines = "\n".join(_flatten(key, value))
        if group and sum(map(len, group)) + len(lines) > _GROUP:
            yield Block("\n\n".join(group))
            group = []
        if lines:
            group.append(lines)
    if group:
        yield Block("\n\n".join(group))


def parse_xml(path: Path, images) -> Iterator[Event]:
    """Yield the text of an XML file, one line an element with text, named by its tag."""
    found: list[str] = []
    stack: list[list[str]] = []

    def start(tag, attributes):
        stack.append([])
        for key, value in attributes.items():
            if value.strip() and len(value) < 2000:
                found.append(f"{tag} {key}: {value.strip()}")

    def end(tag):
        text = " ".join("".join(stack.pop()).split())
        if text:
            found.append(f"{tag}: {text}")

    def data(text):
        if stack:
            stack[-1].append(text)

    content = path.read_bytes()
    declared = _DECLARED.match(content)
    if declared and not declared[1].lower().startswith(b"utf"):  # expat knows four encodings, none of them Chinese
        try:
            text = content.decode(codec(declared[1].decode()), "replace")
        except LookupError:
            text = decode(content)
        content = text.encode("utf-8", "replace")
        sax(content, start, end, data, "utf-8")
    else:
        sax(content, start, end, data)
    group: list[str] = []
    for line in found:
        if group and sum(map(len, group)) + len(line) > _GROUP:
            yield Block("\n".join(group))
            group = []
        group.append(line)
    if group:
        yield Block("\n".join(group))


def _lines(text: str, error: ValueError) -> list:
    """Return the values of JSON lines; raise ParseError with the first fault where the text is not that either."""
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except (ValueError, RecursionError) as fault:
                said = f"its line {number} is not ({fault})" if items else error
                raise ParseError(f"The file is not valid JSON: {said}.", code="corrupt_file") from fault
    return items


def _flatten(key: str, value) -> Iterator[str]:
    todo = [(key, value)]
    while todo:
        name, item = todo.pop()
        if isinstance(item, dict):
            todo += [(f"{name}.{sub}" if name else str(sub), child) for sub, child in reversed(item.items())]
        elif isinstance(item, list):
            if all(not isinstance(child, dict | list) for child in item):
                todo.append((name, ", ".join(map(_scalar, item))))
            else:
                todo += [(f"{name}[{index}]", child) for index, child in reversed(list(enumerate(item)))]
        elif item not in (None, ""):
            yield f"{name}: {_scalar(item)}" if name else _scalar(item)


def _scalar(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
