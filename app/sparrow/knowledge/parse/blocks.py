"""What a parser yields: blocks of text that know where in the document they stand."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.errors import SparrowError


class Block(msgspec.Struct, array_like=True):
    """A paragraph, heading, table or piece of code.

    `kind`: text | heading | table | code. `place_kind` says what `place` counts: page, slide, sheet, line, time,
    chapter or "" where the format has no places. `heading` is the path of headings above the block, outermost first;
    a heading block's own text is the last of its path. A table is Markdown with its header row first; `rows` are the
    places of its rows in formats that count them: a header that is repeated for more rows has none.
    """

    text: str
    kind: str = "text"
    place_kind: str = ""
    place: str = ""
    heading: list[str] = []
    rows: list[str] = []


class Notice(msgspec.Struct):
    """Something the user should know that does not stop the import, e.g. pages without text."""

    code: str
    message: str
    data: dict[str, Any] = {}


class Progress(msgspec.Struct):
    """How far the parser is, in the document's own unit (pages, slides, sheets, bytes)."""

    done: int
    total: int


class Image(msgspec.Struct):
    """A picture found in the document, written by the parser to `path`; blocks refer to it as `image:{number}`."""

    number: int
    path: str
    name: str


class ParseError(SparrowError):
    """The document cannot be read; `code` says why, the message what to do about it.

    Codes: empty_file, encrypted_file, corrupt_file, too_large, compression_bomb, convert_first,
    unsupported_type, mislabelled_file, no_text, parser_timeout, parser_memory, parser_crash.
    """

    code, status = "parse_failed", 400


Event = Block | Notice | Progress | Image
TYPES: dict[str, type] = {"block": Block, "notice": Notice, "progress": Progress, "image": Image}
TAGS = {kind: tag for tag, kind in TYPES.items()}
