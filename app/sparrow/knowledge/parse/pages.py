"""Pages of a PDF as pictures, for a vision model to read."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from . import fonts, photo, picture
from .blocks import Event, Image, ParseError

PIXELS = 3_200_000  # of a page: A4 at 180 dpi, whose small print is still legible
MAX_SIDE = 6000
MAX_SCALE = 8.0  # pixels a point
_KINDS = {1: 0, 3: 2, 4: 6}  # PNG's colour type by the number of channels


def draw(path: Path, numbers: list[int], folder: Path) -> Iterator[Event]:
    """Write the pages of these numbers (from 1) as PNG to a folder and yield each, `Image.number` being the page.

    A page that cannot be drawn is left out. A picture is its own only page: drawn smaller where it is large, else as it
    is.
    """
    with open(path, "rb") as file:
        ending = picture.ending_of(file.read(12))
    made = photo.page(path.read_bytes(), PIXELS) if ending else None
    if ending and made is None:
        if path.stat().st_size > picture.MAX_BYTES:
            raise ParseError(f"The picture has {path.stat().st_size >> 20} MB; a model can be given up to "
                             f"{picture.MAX_BYTES >> 20} MB. Save a smaller copy.", code="too_large")
        copy = Path(shutil.copyfile(path, folder / f"page-1.{ending}"))
        yield Image(1, str(copy), copy.name)
        return
    import pypdfium2 as pdfium

    fonts.use()
    try:
        document = pdfium.PdfDocument(made or path)
    except pdfium.PdfiumError as error:
        raise ParseError("The PDF is damaged and cannot be opened. Print it to a new PDF, or export it "
                         "again.", code="corrupt_file") from error
    for number in numbers:
        try:
            page = document[number - 1]
        except (pdfium.PdfiumError, IndexError):
            continue
        try:
            width, height = page.get_size()
            if width < 1 or height < 1:
                continue
            scale = min((PIXELS / (width * height)) ** 0.5, MAX_SIDE / max(width, height), MAX_SCALE)
            # Grey: a third of the bytes, and print is as legible.
            bitmap = page.render(scale=scale, grayscale=True)
        except (pdfium.PdfiumError, ValueError):
            continue
        finally:
            page.close()
        target = folder / f"page-{number}.png"
        target.write_bytes(png(bitmap))
        bitmap.close()
        yield Image(number, str(target), target.name)


def png(bitmap) -> bytes:
    """Return a bitmap of 8 bits a channel (grey, BGR, BGRx or BGRA) as PNG."""
    width, height, stride, channels = bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels
    if channels not in _KINDS:
        raise ValueError(f"a bitmap has {channels} channels")
    pixels = memoryview(bitmap.buffer).cast("B")
    packer = zlib.compressobj(4)
    body = b"".join(packer.compress(b"\0" + _row(bytes(pixels[row * stride:row * stride + width * channels]),
                                                 channels, opaque=bitmap.mode == "BGRX"))
                    for row in range(height)) + packer.flush()

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)) \
        + part(b"IDAT", body) + part(b"IEND", b"")


def _row(row: bytes, channels: int, *, opaque: bool) -> bytes:
    """Return a row of pixels with red first, as PNG has it."""
    if channels == 1:
        return row
    out = bytearray(row)
    out[0::channels], out[2::channels] = row[2::channels], row[0::channels]
    if opaque:
        out[3::4] = b"\xff" * (len(row) // 4)
    return bytes(out)
