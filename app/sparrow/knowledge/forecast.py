"""How many passages files will make, before they are imported: short ones are read, long ones judged by a part."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow import clock
from sparrow.storage import files

from . import chunk, ocr, parse

SECONDS = 8.0  # for all files
FILE_SECONDS = 2.0
BLOCKS = 4000  # of one file
SCANNED = 2  # passages of a page that a model will read
# Bytes a passage takes in files of which none was read: those of office programs and PDF carry more than text.
_USUAL, _USUAL_RICH = 1500, 20_000
_RICH = frozenset(("pdf", "docx", "docm", "pptx", "pptm", "xlsx", "xlsm", "epub"))


class Forecast(msgspec.Struct, kw_only=True):
    """What a file will make: `passages`, and `vectors` (of parent-child chunks those of the children).

    `exact` says that the whole file was read; else the numbers are judged by a part of it, or by files like it.
    `error` and `error_code` tell why a file cannot be read at all.
    """

    file_id: str
    name: str
    size: int
    passages: int = 0
    vectors: int = 0
    exact: bool = False
    error: str | None = None
    error_code: str | None = None


def of_files(file_ids: list[str], process_rule: dict[str, Any] | None, doc_form: str) -> list[Forecast]:
    """Return a forecast for each file, within some seconds; raise NotFound, or BadRequest for a wrong rule."""
    rule = chunk.rules.parse(process_rule, doc_form)
    found = [Forecast(file_id=row["id"], name=row["name"], size=row["size"])
             for row in (files.get(file_id) for file_id in file_ids)]
    until = clock.monotonic() + SECONDS
    known: dict[str, list[Forecast]] = {}
    unread = []
    # The largest first: those decide.
    for one in sorted(found, key=lambda one: -one.size):
        ending = parse.extension(one.name)
        if clock.monotonic() < until:
            _read(one, rule, doc_form, min(until, clock.monotonic() + FILE_SECONDS))
            known.setdefault(ending, []).append(one)
        else:
            unread.append((ending, one))
    for ending, one in unread:
        like = [other for other in known.get(ending, []) if other.passages]
        size = sum(other.size for other in like)
        each = 1 / (_USUAL_RICH if ending in _RICH else _USUAL)
        one.passages = max(1, round(one.size * (sum(other.passages for other in like) / size if size else each)))
        one.vectors = max(1, round(one.size * (sum(other.vectors for other in like) / size if size else each)))
    return found


def _read(one: Forecast, rule: chunk.rules.Rule, doc_form: str, until: float) -> None:
    """Read a file for a while and fill in what is to be expected of it."""
    blocks: list[parse.Block] = []
    at_progress, progress, scanned, whole = 0, None, 0, False
    events = parse.read(files.path(one.file_id), one.name)
    try:
        for event in events:
            if isinstance(event, parse.Block):
                blocks.append(event)
            elif isinstance(event, parse.Progress):
                at_progress, progress = len(blocks), event
            elif isinstance(event, parse.Notice) and event.code == "pages_without_text" and ocr.model():
                scanned = len(event.data["pages"])
            if len(blocks) >= BLOCKS or clock.monotonic() > until:
                break
        else:
            whole = True
    except parse.ParseError as error:
        if error.code == "picture_unread" and ocr.model():
            scanned = 1
        if not scanned:
            one.error, one.error_code = error.message, error.code
            return
    finally:
        events.close()
    share = 1.0
    if not whole and progress and progress.done and at_progress:
        blocks, share = blocks[:at_progress], progress.done / max(progress.total, 1)
    elif not whole and blocks:
        share = min(1.0, sum(len(block.text.encode("utf-8", "replace")) for block in blocks) / max(one.size, 1))
    asked = doc_form == "qa_model"  # how many pairs a model will make of a text is not known
    pieces = list(chunk.cut(blocks, rule, "text_model" if asked else doc_form))
    one.passages = round(len(pieces) / share) + scanned * SCANNED
    one.vectors = round(sum(max(len(piece.children), 1) for piece in pieces) / share) + scanned * SCANNED
    one.exact = whole and not scanned and not asked
