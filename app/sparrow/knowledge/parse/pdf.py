"""PDF by pdfium: text page by page, headings from the outline or by size, pages without text reported."""

from __future__ import annotations

import ctypes
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from . import figures, fonts, leftward, markdown
from .blocks import Block, Event, Notice, ParseError, Progress
from .columns import TERMINAL, Line, ordered
from .headings import Path as HeadingPath

_SAMPLE_PAGES = 24
_HEADING_CHARS = 90
_CJK = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
# A line of a table of contents: it would answer every question with a page number.
_LEADERS = re.compile(r"(?:[.…·]\s?){5,}\s*(?:\d+|[ivxlc]+)?$")
_BLANK = re.compile(r"\s+|(?<=\xad)(?!$)")  # a hyphen, too, joins lines


def parse(path: Path, images) -> Iterator[Event]:
    """Yield each page's paragraphs and headings, then a notice with the pages that have pictures but no
    text.

    Where a vision model has read such a page, `images.transcript` has its text.
    """
    import pypdfium2 as pdfium

    fonts.use()
    try:
        document = pdfium.PdfDocument(path)
        document.init_forms()  # what was filled in is text too
        total = len(document)
    except pdfium.PdfiumError as error:
        if "assword" in str(error) or "ecurity" in str(error):
            raise ParseError("The PDF is protected by a password. Save a copy without one.",
                             code="encrypted_file") from error
        raise ParseError("The PDF is damaged and cannot be opened. Print it to a new PDF, or export it "
                         "again.",
                         code="corrupt_file") from error
    if total == 0:
        raise ParseError("The PDF has no pages.", code="corrupt_file")
    sample = [_lines(document, number) or [] for number in _spread(total)]
    body = _body_size(sample)
    repeated = _repeated(sample)
    outline = _outline(document)
    illustrated = images is not None and figures.any_in(path)
    headings = HeadingPath()
    sizes = _heading_sizes(sample, body) if not outline else []
    empty: list[int] = []
    damaged: list[int] = []
    for number in range(total):
        pictures: list[figures.Figure] = []
        look = partial(_look, pictures, images) if illustrated else None
        lines = _lines(document, number, look)
        if lines is None:
            damaged.append(number + 1)
            continue
        kept = [line for at, line in enumerate(lines)
                if not (at in (0, 1, len(lines) - 2, len(lines) - 1) and _shape(line.text) in repeated)]
        scanned = sum(len(line.text) for line in kept) < 8 and _has_picture(document, number)
        transcript = images.transcript(number + 1) if scanned and images is not None else None
        if transcript is not None:
            yield from _transcribed(transcript, str(number + 1), outline.get(number, []), headings)
            yield Progress(number + 1, total)
            continue
        if scanned:
            empty.append(number + 1)
        if scanned or kept:  # else what looks like a running head is all the page has: labels, slips
            lines = kept
        yield from (figure.image for figure in pictures)
        yield from _blocks(lines, str(number + 1), body, sizes, outline.get(number, []), headings,
                           _placed(lines, pictures))
        if number % 10 == 9 or number == total - 1:
            yield Progress(number + 1, total)
    if damaged:
        if len(damaged) == total:
            raise ParseError("The PDF is damaged: none of its pages can be read.", code="corrupt_file")
        yield Notice("pages_damaged", f"{len(damaged)} of {total} pages are damaged and were left out.",
                     {"pages": damaged[:2000], "total": total})
    if empty:
        yield Notice("pages_without_text",
                     f"{len(empty)} of {total} pages are pictures without text (scanned). Their text can "
                     f"only be "
                     "read by a vision model.", {"pages": empty, "total": total})


def _spread(total: int) -> list[int]:
    """Return page numbers spread over the document, for what has to be known before the first page."""
    if total <= _SAMPLE_PAGES:
        return list(range(total))
    return sorted({round(i * (total - 1) / (_SAMPLE_PAGES - 1)) for i in range(_SAMPLE_PAGES)})


def _lines(document, number: int, look: Callable[[Any], None] | None = None) -> list[Line] | None:
    """Return the printed lines of a page in reading order, or None for a page that cannot be loaded.

    `look` is given the page while it is loaded.
    """
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        page = document[number]
    except pdfium.PdfiumError:
        return None
    text_page = None
    try:
        if page.formenv:
            with suppress(pdfium.PdfiumError):  # without its form the page can still be read
                page.flatten()
            page.close()
            page = document[number]
        text_page = page.get_textpage()
        text, handle = text_page.get_text_range(), text_page.raw
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))

        counted = text_page.count_chars() == len(text)
        whole = counted and leftward.LETTERS.search(text) is None

        moved: dict[int, int] = {}  # places of letters whose words are written from right to left, to where they were

        def letter(index):  # those without Unicode are not in the text
            index = moved.get(index, index)
            return index if counted else raw.FPDFText_GetCharIndexFromTextIndex(handle, index)

        def box(index, turned):
            raw.FPDFText_GetCharBox(handle, index if whole else letter(index), left, right, bottom, top)
            # As if the text ran from left to right: landscape pages are often written upwards and shown turned.
            if not turned:
                return left.value, right.value, bottom.value
            return ((-top.value, -bottom.value, left.value), (-right.value, -left.value, -top.value),
                    (bottom.value, top.value, -right.value))[turned - 1]

        def printed(line, at):
            index = at if whole else letter(at)
            turned = round(raw.FPDFText_GetCharAngle(handle, index) / (math.pi / 2)) % 4
            x, _, y = box(at, turned)
            _, end, _ = box(at + len(line) - 1, turned)
            return Line(line, round(raw.FPDFText_GetFontSize(handle, index), 1), x, end, y, at, turned)

        def pieces(line, width):
            found, first = [], 0
            for blank in _BLANK.finditer(line.text):
                start, end, _ = box(line.at + blank.start() - 1, line.turned)
                after, last, _ = box(line.at + blank.end(), line.turned)
                if not -width / 2 < after - end < width and not -width / 2 < start - last < width:
                    found.append(printed(line.text[first:blank.start()], line.at + first))
                    first = blank.end()
            return [*found, printed(line.text[first:], line.at + first)] if found else [line]

        lines, offset = [], 0
        for line in text.split("\n"):
            clean = line.replace("\r", "").replace("\ufffe", "\u00ad").replace("\x00", "")
            if not whole and leftward.LETTERS.search(clean):
                clean, places = leftward.sorted_out(clean, lambda at, start=offset: sum(box(start + at, 0)[:2]))
                moved.update((offset + at, offset + place) for at, place in enumerate(places) if place != at)
            stripped = clean.strip()
            if stripped and not _LEADERS.search(stripped):
                lines.append(printed(stripped, offset + len(clean) - len(clean.lstrip())))
            offset += len(line) + 1
        if look is not None:
            look(page)
        lines = ordered(lines, pieces)
        for line in () if whole else lines:
            line.text = leftward.plain(line.text)
        return lines
    except pdfium.PdfiumError:
        return None
    finally:
        if text_page is not None:
            text_page.close()
        page.close()


def _look(pictures: list[figures.Figure], images, page) -> None:
    pictures += figures.of_page(page, images)


def _placed(lines: list[Line], pictures: list[figures.Figure]) -> dict[int, list[str]]:
    """Return {index of a line: the pictures before it}: each comes before the line that is printed below its top, on a
    page in columns before that of its own.
    """
    placed: dict[int, list[str]] = {}
    columns = any(a.at > b.at for a, b in itertools.pairwise(lines))
    for left, right, top, image in pictures:
        near = [index for index, line in enumerate(lines)
                if not columns or (line.span()[0] < right and line.span()[1] > left)]
        at = next((index for index in near if lines[index].y < top), near[-1] + 1 if near else len(lines))
        placed.setdefault(at, []).append(f"![{image.name}](image:{image.number})")
    return placed


def _has_picture(document, number: int) -> bool:
    import pypdfium2.raw as raw

    page = document[number]
    try:
        return next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3), None) is not None
    finally:
        page.close()


def _body_size(sample: list[list[Line]]) -> float:
    sizes: Counter[float] = Counter()
    for lines in sample:
        for line in lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _heading_sizes(sample: list[list[Line]], body: float) -> list[float]:
    """Return the font sizes clearly above the body's, largest first: their rank is the heading level."""
    if body <= 2:  # sizes scaled by a matrix say nothing
        return []
    found = {line.size for lines in sample for line in lines
             if line.size >= body * 1.12 and 1 < len(line.text) <= _HEADING_CHARS}
    return sorted(found, reverse=True)[:6]


def _shape(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlcIVXLC]+\b", "0", text)


def _repeated(sample: list[list[Line]]) -> set[str]:
    """Return running heads and feet: first or last lines that most of the pages share but for their
    digits.
    """
    if len(sample) < 4:
        return set()
    shapes: Counter[str] = Counter()
    for lines in sample:
        shapes.update({_shape(line.text) for line in (*lines[:2], *lines[-2:])})
    return {shape for shape, count in shapes.items() if count >= max(4, len(sample) * 0.4)}


def _outline(document) -> dict[int, list[tuple[str, int]]]:
    """Return {page index: [(title, level)]} of the bookmarks."""
    found: dict[int, list[tuple[str, int]]] = {}
    try:
        for count, item in enumerate(document.get_toc(max_depth=6)):
            if count > 20_000:
                break
            target = item.get_dest()
            page = target.get_index() if target else None
            title = (item.get_title() or "").strip()
            if page is not None and title:
                found.setdefault(page, []).append((title, item.level + 1))
    except Exception:  # a broken outline is no reason to refuse the text
        return {}
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text).lower()


def _blocks(lines: list[Line], page: str, body: float, sizes: list[float],
            bookmarks: list[tuple[str, int]], headings: HeadingPath, pictures: dict[int, list[str]]) -> Iterator[Block]:
    """Join lines into paragraphs; lines that are bookmarks, or larger than the body, are headings.

    `pictures` are Markdown links by the line they come before.
    """
    waiting = [(title, level, _plain(title)) for title, level in bookmarks]
    pitch = _pitch(lines)
    paragraph: list[Line] = []

    def flush():
        if paragraph:
            text = _join([line.text for line in paragraph])
            paragraph.clear()
            yield Block(text, "text", "page", page, headings.path())

    previous: Line | None = None
    for index, line in enumerate(lines):
        if index in pictures:
            yield from flush()
            yield Block("\n".join(pictures[index]), "text", "page", page, headings.path())
        title = _bookmark(line.text, waiting) if waiting else None
        level = title[1] if title else (
            sizes.index(line.size) + 1
            if line.size in sizes and len(line.text) <= _HEADING_CHARS
            and not line.text.endswith(("。", ".", "，", ","))
            and re.search(r"\w", line.text) and not line.text.isdigit() else 0)
        if level:
            yield from flush()
            if title:
                for passed in waiting[:waiting.index(title) + 1]:
                    headings.enter(passed[1], passed[0])
                del waiting[:waiting.index(title) + 1]
            else:
                headings.enter(level, line.text)
            yield Block(line.text, "heading", "page", page, headings.path())
            previous = None
            continue
        if previous is not None and _breaks(previous, line, pitch, paragraph):
            yield from flush()
        paragraph.append(line)
        previous = line
    yield from flush()
    if len(lines) in pictures:
        yield Block("\n".join(pictures[len(lines)]), "text", "page", page, headings.path())
    for title, level, _ in waiting:  # bookmarks whose line was not recognised still name what follows
        headings.enter(level, title)


def _transcribed(text: str, page: str, bookmarks: list[tuple[str, int]], headings: HeadingPath) -> Iterator[Block]:
    """Yield the blocks of a page that a model has written down as Markdown."""
    for title, level in bookmarks:
        headings.enter(level, title)
    for block in markdown.blocks(text, headings):
        block.place_kind, block.place = "page", page
        yield block


def _bookmark(text: str, waiting: list[tuple[str, int, str]]) -> tuple[str, int, str] | None:
    plain = _plain(text)
    if len(plain) < 2 or len(text) > 200:
        return None
    return next((item for item in waiting if item[2] and (plain == item[2] or (
        len(item[2]) > 3 and plain.endswith(item[2]) and len(plain) <= len(item[2]) + 8))), None)


def _pitch(lines: list[Line]) -> float:
    gaps = sorted(a.y - b.y for a, b in itertools.pairwise(lines) if 2 < a.y - b.y < 60)
    return gaps[len(gaps) // 3] if gaps else 14.0


def _breaks(previous: Line, line: Line, pitch: float, paragraph: list[Line]) -> bool:
    gap = previous.y - line.y
    if gap < -pitch or gap > pitch * 1.45:  # next column, or white space between
        return True
    if previous.size and abs(line.size - previous.size) > previous.size * 0.15 and min(line.size, previous.size) > 2:
        return True
    if re.match(r"([•●▪◦·\-–*]|\(?\d{1,2}[.)、]|[（(][一二三四五六七八九十\d]+[)）])\s*\S", line.text):
        return True
    widest = max(item.right for item in paragraph)
    ends = previous.text.endswith(TERMINAL)
    indented = line.left > paragraph[-1].left + previous.size * 0.9 if previous.size > 2 else False
    return ends and (previous.right < widest - 3 * max(previous.size, 4) or indented)


def _join(lines: list[str]) -> str:
    """Join lines: Chinese without a blank, hyphenated words without the hyphen."""
    out = lines[0]
    for line in lines[1:]:
        if out.endswith("\u00ad") or (out.endswith("-") and len(out) > 1 and out[-2].isalpha() and line[0].islower()):
            out = out[:-1] + line
        elif re.match(f"[{_CJK}]", line) and re.match(f"[{_CJK}]", out[-1]):
            out += line
        else:
            out += " " + line
    return out.replace("\u00ad", "")
