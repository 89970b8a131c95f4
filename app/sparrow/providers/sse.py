"""Server-sent events out of a stream of bytes, however it is cut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sparrow.characters import whole

_decode = msgspec.json.Decoder().decode
MAX_EVENT = 16 * 1024 * 1024


class EventTooLong(ValueError):
    """A line has no end within the limit."""


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event; lines of a multi-line event are joined by a newline.

    Works on bytes, so a chunk may end in the middle of a character. Comments and other fields are left out. Some
    servers send `data:` lines without the blank line between events: a line that completes a JSON object ends
    an event too. A last event without its blank line counts. Raises EventTooLong.
    """
    rest = b""
    data: list[bytes] = []
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        if b"\n" not in chunk:
            if len(rest) > MAX_EVENT:
                raise EventTooLong(f"an event is longer than {MAX_EVENT >> 20} MiB")
            continue
        lines = rest.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if line.startswith(b"data:"):
                if data and data[-1].endswith(b"}") and line[5:].lstrip()[:1] in (b"{", b"["):
                    yield b"\n".join(data)
                    data = []
                data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and data:
                yield data[0] if len(data) == 1 else b"\n".join(data)
                data = []
    if rest.startswith(b"data:"):
        data.append(rest[5:].strip())
    if data:
        yield b"\n".join(data)


def value(data: bytes) -> Any:
    """Return the JSON of an event or a reply; raise ValueError if it is none.

    Servers that write token by token may cut a character in two: what is half becomes U+FFFD.
    """
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return whole(json.loads(data.decode("utf-8", "replace")))
