"""WebVTT and SRT subtitles: what is said, in passages of about half a minute, with the time it begins."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event, ParseError
from .charset import decode

_TIMES = re.compile(r"((?:\d+:)?\d{1,2}:\d{2})[.,]\d{3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}")
_SPEAKER = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]+)>")
_PASSAGE = 400


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the cues joined into passages; the place is the time of the first one."""
    text = decode(path.read_bytes())
    begin, said, last, found = "", [], "", False
    for cue in re.split(r"\n\s*\n", text):
        match = _TIMES.search(cue)
        if not match:
            continue
        found = True
        said_now = _SPEAKER.sub(r"\1: ", cue[match.end():].partition("\n")[2])
        line = " ".join(html.unescape(re.sub(r"<[^>]+>", "", said_now)).split())
        if not line or line == last:
            continue
        last = line
        if not said:
            begin = match[1]
        said.append(line)
        if sum(map(len, said)) > _PASSAGE:
            yield Block("\n".join(said), "text", "time", begin)
            said = []
    if said:
        yield Block("\n".join(said), "text", "time", begin)
    if not found:
        raise ParseError("The file has no subtitles in WebVTT or SRT form.", code="corrupt_file")
