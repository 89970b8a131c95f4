"""Large pictures as pages of a PDF, so that what draws pages makes them smaller before a model is given them.

There is no other program on the box that reads JPEG.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .blocks import ParseError

MOST_PIXELS = 64_000_000  # to decode one takes up to 6 bytes each
_SPACES = {1: b"/DeviceGray", 3: b"/DeviceRGB", 4: b"/DeviceCMYK"}
# EXIF's orientation to the matrix that shows a picture of width 1 and height 1 upright.
_UPRIGHT = {1: (1, 0, 0, 1, 0, 0), 2: (-1, 0, 0, 1, 1, 0), 3: (-1, 0, 0, -1, 1, 1), 4: (1, 0, 0, -1, 0, 1),
            5: (0, -1, -1, 0, 1, 1), 6: (0, -1, 1, 0, 0, 1), 7: (0, 1, 1, 0, 0, 0), 8: (0, 1, -1, 0, 1, 0)}


def page(data: bytes, pixels: int) -> bytes | None:
    """Return a JPEG or PNG of more than some pixels as a PDF of one page, upright; None for what is to stay as it is.

    Raises ParseError for one of more than MOST_PIXELS.
    """
    try:
        found = _jpeg(data) if data.startswith(b"\xff\xd8") else _png(data) if data.startswith(b"\x89PNG") else None
    except (struct.error, IndexError):  # cut off: whoever is given it will say so
        return None
    if found is None:
        return None
    width, height, turn, description, body = found
    if width * height > MOST_PIXELS:
        raise ParseError(f"The picture has {width * height // 1_000_000} megapixels; up to {MOST_PIXELS // 1_000_000} "
                         "can be read. Save a smaller copy.", code="too_large")
    if width * height <= pixels:
        return None
    a, b, c, d, e, f = _UPRIGHT[turn]
    if turn > 4:
        width, height = height, width
    content = b"%d %d %d %d %d %d cm /P Do" % (a * width, b * height, c * width, d * height, e * width, f * height)
    return _pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                 b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<</XObject<</P 5 0 R>>>>>>"
                 % (width, height), _stream(b"", content),
                 _stream(b"/Type/XObject/Subtype/Image" + description, body)])


def _jpeg(data: bytes) -> tuple[int, int, int, bytes, bytes] | None:
    """Return width, height, orientation, and the picture in PDF's words; None for a JPEG it cannot hold."""
    turn, adobe = 1, False
    for mark, body in _segments(data):
        if mark == 0xE1 and body.startswith(b"Exif\0\0"):
            turn = _orientation(body[6:])
        elif mark == 0xEE and body.startswith(b"Adobe"):
            adobe = True
        elif 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            _, height, width, colours = struct.unpack(">BHHB", body[:6])
            if colours not in _SPACES or not width * height:
                return None
            inverted = b"/Decode[1 0 1 0 1 0 1 0]" if colours == 4 and adobe else b""
            return width, height, turn, b"/Filter/DCTDecode/Width %d/Height %d/BitsPerComponent 8/ColorSpace%s%s" % (
                width, height, _SPACES[colours], inverted), data
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while data[at] == 0xFF:
        mark = data[at + 1]
        length, = struct.unpack_from(">H", data, at + 2)
        yield mark, data[at + 4:at + 2 + length]
        at += 2 + length


def _orientation(tiff: bytes) -> int:
    """Return EXIF's orientation (1 to 8), 1 where none is told."""
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        start, = struct.unpack_from(order + "I", tiff, 4)
        count, = struct.unpack_from(order + "H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == 0x0112:
                return value if value in _UPRIGHT else 1
    except struct.error:
        pass
    return 1


def _png(data: bytes) -> tuple[int, int, int, bytes, bytes] | None:
    """The same of a PNG; None for one with transparency or of several passes, which PDF cannot hold as it is."""
    width, height, depth, colour, _, _, passes = struct.unpack_from(">IIBBBBB", data, 16)
    palette, body, at = b"", [], 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"PLTE":
            palette = data[at + 8:at + 8 + length]
        elif kind == b"IDAT":
            body.append(data[at + 8:at + 8 + length])
        at += 12 + length
    if passes or colour not in (0, 2, 3) or (colour == 3 and not palette):
        return None
    space = {0: b"/DeviceGray", 2: b"/DeviceRGB",
             3: b"[/Indexed/DeviceRGB %d<%s>]" % (len(palette) // 3 - 1, palette.hex().encode())}[colour]
    return width, height, 1, b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors %d/BitsPerComponent %d/Columns " \
        b"%d>>/Width %d/Height %d/BitsPerComponent %d/ColorSpace%s" % (
            3 if colour == 2 else 1, depth, width, width, height, depth, space), b"".join(body)


def _stream(description: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (description, len(data), data)


def _pdf(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, item in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out) + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, table, len(objects) + 1, len(out))
