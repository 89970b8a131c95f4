"""Pages of a PDF as pictures, for a vision model to read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from .blocks import Event, Image, ParseError

PIXELS = 3_200_000  # of a page: A4 at 180 dpi, whose small print is still legible
MAX_SIDE = 6000
MAX_SCALE = 8.0  # pixels a point


def draw(path: Path, numbers: list[int], folder: Path) -> Iterator[Event]:
    """Write the pages of these numbers (from 1) as PNG to a folder and yield each, `Image.number` being the page.

    A page that cannot be drawn is left out.
    """
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(path)
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
        target.write_bytes(_png(bitmap))
        bitmap.close()
        yield Image(number, str(target), target.name)


def _png(bitmap) -> bytes:
    """Return an 8-bit grey bitmap as PNG."""
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    if bitmap.n_channels != 1:
        raise ValueError("the page was not drawn in grey")
    pixels = memoryview(bitmap.buffer).cast("B")
    packer = zlib.compressobj(6)
    body = b"".join(packer.compress(b"\0" + bytes(pixels[row * stride:row * stride + width]))
                    for row in range(height)) + packer.flush()

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) \
        + part(b"IDAT", body) + part(b"IEND", b"")
