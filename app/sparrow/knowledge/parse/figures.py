"""Pictures on the pages of a PDF: those that a reader would call a figure."""

from __future__ import annotations

import hashlib
import mmap
import re
from pathlib import Path
from typing import NamedTuple

from .blocks import Image
from .pages import png
from .pictures import MAX_BYTES, MAX_IMAGES, Pictures

_PICTURE = re.compile(rb"/Subtype\s*/Image\b")
_SIDE = 48.0  # points: what is smaller is an icon or a rule
_PIXELS = 64
_MOST_PIXELS = 8_000_000
_WHOLE_PAGE = 0.75  # share of the page above which a picture is its background, or the page itself scanned
_OBJECTS = 200  # pictures of one page: maps are made of thousands


def any_in(path: Path) -> bool:
    """Tell whether a PDF has pictures at all: going through the objects of its pages doubles the time it takes."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        return _PICTURE.search(data) is not None  # the dictionary of a stream is never packed


class Figure(NamedTuple):
    """A figure kept, with its edges and the height of its top in points."""

    left: float
    right: float
    top: float
    image: Image


def of_page(page, images: Pictures) -> list[Figure]:
    """Keep a loaded page's figures and return them, those seen before left out."""
    import pypdfium2 as pdfium

    width, height = page.get_size()
    found: list[Figure] = []
    for count, item in enumerate(_objects(page)):
        if count >= _OBJECTS or images.count >= MAX_IMAGES:
            break
        try:
            left, bottom, right, top = item.get_bounds()
            columns, rows = item.get_px_size()
            if min(right - left, top - bottom) < _SIDE or min(columns, rows) < _PIXELS \
                    or columns * rows > _MOST_PIXELS \
                    or (right - left) * (top - bottom) > _WHOLE_PAGE * width * height:
                continue
            data, ending = _data(item)
        except (pdfium.PdfiumError, ValueError):
            continue
        key = hashlib.sha256(data).hexdigest()
        if not images.has(key):  # a logo is told once
            image = images.keep(key, f"figure-{images.count + 1}.{ending}", data)
            if image is not None:
                found.append(Figure(left, right, top, image))
    return found


def _objects(page):
    """Yield the picture objects of a page. The library's own way makes a Python object of every letter's."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    forms = [(raw.FPDFPage_GetObject, page, raw.FPDFPage_CountObjects(page), 0)]
    while forms:
        get, owner, count, depth = forms.pop()
        for index in range(count):
            item = get(owner, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_IMAGE:
                yield pdfium.PdfObject(item, page=page, pdf=page.pdf, level=depth)
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < 2:
                forms.append((raw.FPDFFormObj_GetObject, item, raw.FPDFFormObj_CountObjects(item), depth + 1))


def _data(item) -> tuple[bytes, str]:
    """Return a picture as a file and its ending: a JPEG as it is, everything else drawn."""
    if item.get_filters(skip_simple=True) == ["DCTDecode"]:
        data = bytes(item.get_data(decode_simple=True))
        if len(data) <= MAX_BYTES and _shows_everywhere(data):
            return data, "jpg"
    return png(item.get_bitmap(render=True)), "png"


def _shows_everywhere(data: bytes) -> bool:
    """Tell whether a JPEG has one or three colours: browsers show others inverted or not at all."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        mark = data[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            return data[at + 9] in (1, 3)
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return False
