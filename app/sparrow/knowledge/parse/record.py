"""What a parser yielded, kept in a file, so that a document is read once where it has to be known in advance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from .blocks import TAGS, TYPES, Event


class Record:
    """The events of one document, in a folder that is there for as long as they are needed."""

    def __init__(self, folder: str | Path):
        self._file = Path(folder) / "events"

    def keep(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield events and keep them; they count once the last one is kept."""
        encode = msgspec.json.Encoder().encode
        part = self._file.with_suffix(".part")
        with open(part, "wb") as out:
            for event in events:
                out.write(encode([TAGS[type(event)], event]) + b"\n")
                yield event
        part.replace(self._file)

    def __bool__(self) -> bool:
        return self._file.exists()

    def events(self) -> Iterator[Event]:
        """Yield what was kept."""
        decode = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode
        with open(self._file, "rb") as lines:
            for line in lines:
                tag, raw = decode(line)
                yield msgspec.json.decode(raw, type=TYPES[tag])
