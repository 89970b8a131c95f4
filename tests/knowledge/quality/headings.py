"""Headings as questions: the Debian handbook and the installation guide, each in English and Chinese.

Many a question is what a section is called, or nearly so. The sections of both languages have the same numbers, so
that of each heading is known without anybody's judgement. The map of questions was trained on these books among others
(train_texts.py says under which licences they come): the numbers are good for comparing, and flatter the vectors.
"""

from __future__ import annotations

import gzip
import html
import random
import re

from . import train_texts

BOOKS = {"handbook": ("debian-handbook", "debian-handbook/html", {"en": "en-US", "zh-cn": "zh-CN"}),
         "guide": ("installation-guide-amd64", "installation-guide-amd64", {"en": "en", "zh-cn": "zh_CN"})}
MOST = 160  # headings of a book
_HEADING = re.compile(r"<h[2-5][^>]*>(.*?)</h[2-5]>", re.S)
_NUMBERED = re.compile(r"(\d+(?:\.\d+)+)\. (.+)")


def sources(book: str, languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of a book's pages in some languages."""
    package, place, folders = BOOKS[book]
    root = train_texts.cached((package,)) / package / "usr/share/doc" / place
    out = []
    for language in languages:
        for page in sorted((root / folders[language]).glob("*.html*")):
            content = page.read_bytes()
            stem = page.name.partition(".")[0]
            if stem != "index":
                out.append((f"{book}-{stem}.{language}.html",
                            gzip.decompress(content) if page.suffix == ".gz" else content))
    return out


def questions(book: str) -> list[tuple[str, str, str]]:
    """Return (section, English heading, Chinese heading) of some of a book's sections, always the same."""
    english, chinese = _headings(book, "en"), _headings(book, "zh-cn")
    sections = sorted(english.keys() & chinese.keys())
    random.Random(1).shuffle(sections)
    return [(section, english[section], chinese[section]) for section in sections[:MOST]]


def _headings(book: str, language: str) -> dict[str, str]:
    """Return {section number: heading} of a book."""
    out: dict[str, str] = {}
    for _, content in sources(book, (language,)):
        for found in _HEADING.findall(content.decode("utf-8", "replace")):
            match = _NUMBERED.match(" ".join(html.unescape(re.sub("<[^>]+>", "", found)).split()))
            if match:
                out.setdefault(match[1], match[2])
    return out
