"""Manuals as users upload them, in English and Chinese: of a circuit board editor, of a desktop, of a kernel.

KiCad's (GPL-3+ or CC-BY-3.0+), the MATE user guide (GFDL-1.1+) and pages of the Linux kernel's (GPL-2). What is not
translated in the Chinese ones is left out: one line in ten asks for a section that is there in English only. A section
is named by its document and by where its heading stands among the others, as 4.9.1 in "kicad-pcbnew:4.9.1" or 2.3 in
"kernel-sysrq:2.3": translations count alike; 0 is what stands below the page's title.

The sections were drawn at random. A line of manuals.tsv asks with the words of those who know the field (question),
without the section's own (paraphrase), by a code (exact), or as one types into a search box (terms). No question was
changed after the first search.
"""

from __future__ import annotations

import functools
import html
import itertools
import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

from . import train_texts

KICAD = ("introduction", "kicad", "pcbnew", "pl_editor", "pcb_calculator", "gerbview")
MATE = ("gosbasic", "goscaja", "goscustdesk", "goseditmainmenu", "gosoverview", "gospanel", "gosstartsession",
        "gostools")
KERNEL = ("PCI/msi-howto", "accounting/psi", "admin-guide/README", "admin-guide/bootconfig", "admin-guide/bug-bisect",
          "admin-guide/bug-hunting", "admin-guide/lockup-watchdogs", "admin-guide/reporting-regressions",
          "admin-guide/sysrq", "admin-guide/tainted-kernels", "core-api/cpu_hotplug", "cpu-freq/cpufreq-stats",
          "dev-tools/gcov", "dev-tools/gdb-kernel-debugging", "dev-tools/kasan", "filesystems/debugfs",
          "filesystems/tmpfs", "mm/overcommit-accounting", "process/email-clients", "process/submit-checklist",
          "scheduler/sched-bwc")
PACKAGES = ("kicad-doc-en", "kicad-doc-zh", "mate-user-guide", "linux-doc-6.1")
_HEADING = re.compile(r"(<h([1-6])[^>]*>.*?</h\2>)", re.S)
_DIVISIONS = re.compile(r"</?(?:div|section)\b[^>]*>")
_DOCBOOK = "{http://docbook.org/ns/docbook}"
_TAGS = {"para": "p", "term": "p", "screen": "pre", "synopsis": "pre", "itemizedlist": "ul", "orderedlist": "ol",
         "listitem": "li", "step": "li", "procedure": "ol", "informaltable": "table", "table": "table", "row": "tr",
         "entry": "td"}
_JOINED = {"keycombo": "+", "menuchoice": " > "}
_DROPPED = ("info", "indexterm", "anchor", "imageobject", "remark", "highlights", "textobject", "titleabbrev")


def sources(languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of the manuals in some languages."""
    return [(f"{name}.{language}.html",
             "".join(piece.heading + piece.body for piece in _translated(pieces, language)).encode())
            for language in languages for name, pieces in _documents(language).items()]


def has(name: str) -> bool:
    """Tell whether a document or a section is one of the manuals'."""
    return name.startswith(("kicad-", "mate-", "kernel-")) and not name.endswith(".txt")  # a manual page of `tune`


def numbers(document: str, heading: list[str], content: str) -> tuple[list[str], list[str]]:
    """Return the numbers of the headings above a passage and of those in it, each with its document's name."""
    name, language, _ = document.rsplit(".", 2)
    headings = _headings(name, language)
    path = [_letters(title) for title in heading]
    lines = {_letters(line) for line in content.splitlines()}
    # Two sections are called the same in Chinese: the one that has more of the passage's lines.
    at = max((place for place, (_, titles, _) in enumerate(headings) if titles == path),
             key=lambda place: sum(line in headings[place][2] for line in lines), default=None)
    if at is None:
        return [], []
    parts = headings[at][0].split(".")
    above = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    lines.difference_update(path)
    inside = [number for number, *_ in itertools.takewhile(lambda one: one[1][-1] in lines, headings[at + 1:])]
    return [f"{name}:{number}" for number in above], [f"{name}:{number}" for number in inside]


class _Piece(NamedTuple):
    """A heading, the titles down to it, and what stands below it to the next one, as HTML; the first has no heading."""

    level: int
    titles: list[str]
    heading: str
    body: str


@functools.cache
def _documents(language: str) -> dict[str, list[_Piece]]:
    root = train_texts.cached(PACKAGES)
    english = language == "en"
    kicad = root / ("kicad-doc-en" if english else "kicad-doc-zh") / "usr/share/doc/kicad/help" / language[:2]
    mate = root / "mate-user-guide/usr/share/help" / ("C" if english else "zh_CN") / "mate-user-guide"
    kernel = root / "linux-doc-6.1/usr/share/doc/linux-doc-6.1/html" / ("" if english else "translations/zh_CN")
    pages = {f"kicad-{name}": (kicad / f"{name}.html").read_text("utf-8") for name in KICAD}
    pages |= {f"mate-{name}": _html((mate / f"{name}.xml").read_text("utf-8")) for name in MATE}
    for name in KERNEL:  # without the menu of all pages that stands beside each
        page = (kernel / f"{name}.html").read_text("utf-8")
        pages["kernel-" + name.rpartition("/")[2]] = page[page.index("<h1"):page.index("<footer")]
    return {name: _pieces(page) for name, page in pages.items()}


def _pieces(page: str) -> list[_Piece]:
    before, *rest = _HEADING.split(page)
    out = [_Piece(0, [], "", before)]
    path: list[tuple[int, str]] = []
    for heading, level, body in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        path = [*(one for one in path if one[0] < int(level)), (int(level), _text(heading))]
        out.append(_Piece(int(level), [title for _, title in path], heading, body))
    return out


def _numbers(pieces: list[_Piece]) -> list[tuple[str, list[str]]]:
    """Return (number, titles) of each piece: the page's title is 0, what stands before it has no number."""
    counts: list[int] = []
    out = []
    for piece in pieces:
        depth = len(piece.titles) - 1
        if depth > 0:
            counts = [*counts[:depth], *[0] * (depth - len(counts))]
            counts[-1] += 1
        out.append((".".join(map(str, counts)) if depth > 0 else "0" if depth == 0 else "",
                    [_letters(title) for title in piece.titles]))
    return out


@functools.cache
def _headings(name: str, language: str) -> list[tuple[str, list[str], str]]:
    """Return (number, titles, text) of the headings that a manual has in a language."""
    pieces = _documents(language)[name]
    return [(number, titles, _letters(_text(piece.body)))
            for (number, titles), piece in zip(_numbers(pieces), _translated(pieces, language), strict=True)
            if piece.heading]


def _translated(pieces: list[_Piece], language: str) -> list[_Piece]:
    """Return a page's pieces without the texts that are in another language, and without headings of nothing."""
    if language == "en":
        return pieces
    out: list[_Piece] = []
    below = 0  # the level of the heading that was kept last: it is to stay below those above it
    for piece in reversed(pieces):
        if not train_texts.chinese(_text(piece.body)) and piece.level:
            piece = piece._replace(body="".join(_DIVISIONS.findall(piece.body)),
                                   heading=piece.heading if piece.level < below else "")
        below = piece.level if piece.heading else below
        out.append(piece)
    return out[::-1]


def _html(chapter: str) -> str:
    """Return a DocBook chapter as HTML."""
    root = ET.fromstring(re.sub(r"(</?)\w+:", r"\1", chapter))  # one page has a prefix that stands for nothing
    out: list[str] = []

    def walk(node: ET.Element, level: int) -> None:
        for child in node:
            tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else "remark"
            if tag in ("section", "sect1", "sect2", "sect3", "sect4"):
                title(child, level + 1)
                walk(child, level + 1)
            elif tag in _JOINED:
                out.append(html.escape(_JOINED[tag].join("".join(one.itertext()).strip() for one in child)))
            elif tag not in _DROPPED and tag != "title":
                name = _TAGS.get(tag, "")
                out.append(f"<{name}>" if name else "")
                out.append(html.escape(child.text or ""))
                walk(child, level)
                out.append(f"</{name}>" if name else "")
            out.append(html.escape(child.tail or ""))

    def title(node: ET.Element, level: int) -> None:
        found = node.find(f"{_DOCBOOK}title")
        found = node.find(f"{_DOCBOOK}info/{_DOCBOOK}title") if found is None else found
        words = " ".join("".join(found.itertext() if found is not None else ()).split())
        out.append(f"<h{level}>{html.escape(words)}</h{level}>")

    title(root, 1)
    walk(root, 1)
    return "<html><body>" + "".join(out) + "</body></html>"


def _text(page: str) -> str:
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.S)
    return " ".join(html.unescape(re.sub("<[^>]+>", "", page)).replace("¶", "").split())


def _letters(title: str) -> str:
    return re.sub(r"[\s¶]", "", title)
