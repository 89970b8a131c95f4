"""A stand-in for the Chinese, Japanese and Korean fonts that a PDF names but does not hold.

The box has none, and pdfium drops letters without a shape where each is drawn by itself: such manuals came out empty.
Text is not read from shapes, so one box for all letters will do. Machines that have fonts use it as well: one file
gives one text everywhere.
"""

from __future__ import annotations

import ctypes
import struct

_CHARSETS = (128, 129, 134, 136)  # Windows' numbers of Japanese, Korean, simplified and traditional Chinese
_NAME = b"Boxes\0"
_EM, _BOTTOM, _TOP = 1000, -120, 880
_given: list[object] = []  # what pdfium calls for as long as the process lives


def use() -> None:
    """Have pdfium take the stand-in where it would look for a font on the machine."""
    import pypdfium2.raw as raw

    if _given:
        return
    data = font()

    def answer(text: bytes, room: int | None, size: int) -> int:
        if room and size >= len(text):
            ctypes.memmove(room, text, len(text))
        return len(text)

    functions = {
        "Release": lambda _info: None,
        "EnumFonts": lambda _info, _mapper: None,
        "MapFont": lambda _info, _weight, _italic, charset, _pitch, _face, _exact: 1 if charset in _CHARSETS else None,
        "GetFont": lambda _info, _face: None,
        # Part 0 is the whole file, the only one there is.
        "GetFontData": lambda _info, _font, part, room, size: 0 if part else answer(data, room, size),
        "GetFaceName": lambda _info, _font, room, size: answer(_NAME, room, size),
        "GetFontCharset": lambda _info, _font: _CHARSETS[0],
        "DeleteFont": lambda _info, _font: None,
    }
    types = dict(raw.FPDF_SYSFONTINFO._fields_)
    info = raw.FPDF_SYSFONTINFO(1, **{name: types[name](function) for name, function in functions.items()})
    raw.FPDF_SetSystemFontInfo(info)
    _given.append(info)


def font() -> bytes:
    """Return a TrueType font (OpenType 1.9) in which every letter is the same box, an em wide."""
    box = struct.pack(">hhhhhH H 4B 8h", 1, 50, _BOTTOM, 950, _TOP, 3, 0, 1, 1, 1, 1,
                      50, 900, 0, -900, _BOTTOM, 0, _TOP - _BOTTOM, 0)
    tables = {
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 10, 12)
        + struct.pack(">HHIIIIII", 13, 0, 28, 0, 1, 0x20, 0x10FFFF, 1),  # format 13: one glyph for many letters
        b"glyf": box,
        b"head": struct.pack(">IIIIHHQQhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, _EM, 0, 0, 0, _BOTTOM, _EM,
                             _TOP, 0, 8, 2, 0, 0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, _TOP, _BOTTOM, 0, _EM, 0, 0, _EM, 1, 0, 0, 0, 0, 0, 0, 0,
                             1),
        b"hmtx": struct.pack(">Hhh", _EM, 50, 50),
        b"loca": struct.pack(">3H", 0, 0, len(box) // 2),
        b"maxp": struct.pack(">IH13H", 0x10000, 2, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    entries, body = b"", b""
    start = 12 + 16 * len(tables)
    for tag, data in tables.items():
        entries += struct.pack(">4sIII", tag, 0, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, len(tables) * 16 - 64) + entries + body
