"""The process that parses one file: `python -m sparrow.knowledge.parse.child PATH NAME FOLDER [PAGES]`.

It limits itself first, then writes one JSON line an event to standard output. Whatever a hostile file does to it
stays in it.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

MEMORY = 768 << 20  # bytes of data the parser may allocate
CPU_SECONDS = 900


def main(path: str, name: str, folder: str, pages: str = "") -> int:
    """Parse a file (pictures go to a folder, "" for none) onto standard output; return 0.

    With `pages` (numbers with commas between) those pages of a PDF are drawn instead.
    """
    _limit()
    import msgspec

    from .blocks import TAGS, Block, Image, ParseError
    from .formats import parser_of
    from .pages import draw
    from .pictures import Pictures

    told: set[int] = set()  # a picture that is shown again is told once: whoever reads this takes it away
    encode = msgspec.json.Encoder().encode
    out = os.fdopen(1, "wb", closefd=False)
    try:
        source = Path(path)
        if pages:
            events = draw(source, [int(page) for page in pages.split(",")], Path(folder))
        else:
            events = parser_of(source, name)(source, Pictures(folder) if folder else None)
        for event in events:
            # Lone surrogates cannot be stored or sent.
            if isinstance(event, Block):
                event.text = event.text.encode("utf-8", "replace").decode().replace("\x00", "")
                if not event.text.strip():
                    continue
            if isinstance(event, Image):
                if event.number in told:
                    continue
                told.add(event.number)
            out.write(encode([TAGS[type(event)], event]) + b"\n")
            if pages:
                out.flush()  # a model can read the first page while the next is drawn
    except ParseError as error:
        out.write(encode(["error", [error.code, error.message]]) + b"\n")
    except MemoryError:
        out.write(encode(["error", ["parser_memory", "The document needs too much memory to be read. Split it."]])
                  + b"\n")
    except RecursionError:
        out.write(encode(["error", ["corrupt_file", "The document is nested too deeply."]]) + b"\n")
    out.write(b'["end",null]\n')
    out.flush()
    return 0


def _limit() -> None:
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: die with the worker
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    os.nice(5)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
