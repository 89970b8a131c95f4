"""Documents to blocks of text. `read(path, name)` runs the parser in a child process with limits."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from sparrow import clock

from .blocks import TYPES, Block, Event, Image, Notice, ParseError, Progress
from .fork import Fork
from .formats import EXTENSIONS, PICTURES, advice, extension, supported
from .picture import ending_of as picture_ending
from .pictures import transcript_file
from .record import Record

__all__ = ["EXTENSIONS", "PICTURES", "Block", "Event", "Image", "Notice", "ParseError", "Progress", "Record", "advice",
           "draw", "extension", "picture_ending", "read", "supported", "transcript_file"]

MAX_SECONDS = 1800.0
MAX_SILENCE = 300.0  # seconds without any event
_MAX_LINE = 64 << 20
_ONLY_PICTURES = re.compile(r"(?:\s*!\[[^\]]*\]\(image:\d+\))*\s*")

Process = subprocess.Popen | Fork

def read(path: str | Path, name: str, images: str | Path | None = None, *,
         max_bytes: int = 200 << 20, seconds: float = MAX_SECONDS, fork: bool = False) -> Iterator[Event]:
    """Yield the blocks, notices, progress and pictures of a document, as the parser finds them.

    `name` says the type where the content leaves it open; `images` is a folder for the document's pictures
    (none are kept without it), in which texts of scanned pages may lie (`transcript_file`). Raises ParseError for
    every file that cannot be read, whatever it did to the parser. Closing the iterator ends the parser. `fork` makes
    the parser a copy of this process, which is ten times cheaper; only a process that does nothing else may ask for
    it (see `fork`).
    """
    size = os.path.getsize(path)
    if size == 0:
        raise ParseError("The file is empty.", code="empty_file")
    if size > max_bytes:
        raise ParseError(f"The file has {size >> 20} MB; documents of up to {max_bytes >> 20} MB can be read. "
                         "Split it.", code="too_large")
    process = _start(fork, str(path), name, str(images or ""))
    found_text = False
    try:
        for tag, raw in _events(process, clock.monotonic() + seconds):
            if tag == "error":
                code, message = msgspec.json.decode(raw)
                raise ParseError(message, code=code)
            event = msgspec.json.decode(raw, type=TYPES[tag])
            found_text = found_text or (tag == "block" and _ONLY_PICTURES.fullmatch(event.text) is None)
            yield event
        if not found_text:
            raise ParseError("No text was found in the document. If it is scanned, its text can only be read by a "
                             "vision model.", code="no_text")
    finally:
        _end(process)


def draw(path: str | Path, pages: list[int], folder: str | Path, *, seconds: float = 60.0, fork: bool = False
         ) -> Iterator[Image]:
    """Draw pages (from 1) of a PDF into a folder and yield each as it is there, `Image.number` being its page.

    A page that cannot be drawn is left out; raises ParseError where one ends the parser or takes too long. `seconds`
    is for each page.
    """
    process = _start(fork, str(path), "", str(folder), ",".join(str(page) for page in pages))
    try:
        for tag, raw in _events(process, clock.monotonic() + seconds * len(pages)):
            if tag == "error":
                code, message = msgspec.json.decode(raw)
                raise ParseError(message, code=code)
            yield msgspec.json.decode(raw, type=TYPES[tag])
    finally:
        _end(process)


def _start(fork: bool, *arguments: str) -> Process:
    if fork:
        from . import child  # not above: the other way runs it as a program of its own

        return Fork(child.main, *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "sparrow.knowledge.parse.child", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"})


def _events(process: Process, deadline: float) -> Iterator[tuple[str, msgspec.Raw]]:
    """Yield the lines of the child; raise ParseError when it dies, stalls or never ends."""
    decoder = msgspec.json.Decoder(tuple[str, msgspec.Raw])
    buffer = bytearray()
    pipe = process.stdout.fileno()
    while True:
        wait = min(deadline - clock.monotonic(), MAX_SILENCE)
        ready = select.select([pipe], [], [], max(wait, 0))[0] if wait > 0 else []
        if not ready:
            raise ParseError("Reading the document took too long and was stopped. Split it into smaller files.",
                             code="parser_timeout")
        data = os.read(pipe, 1 << 18)
        if not data:
            raise _died(process)
        start = len(buffer)
        buffer += data
        if len(buffer) > _MAX_LINE:
            raise ParseError("A part of the document is too large.", code="too_large")
        if buffer.find(b"\n", start) < 0:
            continue
        *lines, rest = bytes(buffer).split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            tag, raw = decoder.decode(line)
            if tag == "end":
                return
            yield tag, raw


def _died(process: Process) -> ParseError:
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    error = process.stderr.read1(65536).decode("utf-8", "replace") if process.stderr else ""
    if "MemoryError" in error or "Cannot allocate" in error:
        return ParseError("The document needs too much memory to be read. Split it.", code="parser_memory")
    if process.returncode in (-24, -9):
        return ParseError("Reading the document took too long and was stopped. Split it into smaller files.",
                          code="parser_timeout")
    last = error.strip().rpartition("\n")[2][-200:]
    return ParseError(f"The document broke its parser ({last or f'signal {-(process.returncode or 0)}'}). It is "
                      "probably damaged; export it again.", code="parser_crash")


def _end(process: Process) -> None:
    if process.poll() is None:
        process.kill()
    with suppress(Exception):
        process.wait(10)
    for pipe in (process.stdout, process.stderr):
        with suppress(Exception):
            pipe.close()


def text(name: str, content: bytes) -> str:
    """Return the text of a document given as bytes; raise ParseError."""
    return "\n\n".join(block.text for block in blocks(name, content))


def blocks(name: str, content: bytes) -> list[Block]:
    """Return the blocks of a document given as bytes; raise ParseError."""
    import tempfile

    with tempfile.NamedTemporaryFile() as copy:
        copy.write(content)
        copy.flush()
        return [event for event in read(copy.name, name) if isinstance(event, Block)]
