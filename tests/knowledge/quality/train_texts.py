"""Texts that the map of questions is trained on: sections of manuals, with their translation where there is one.

They come from Debian packages that are downloaded and unpacked, never installed; no document of the two quality sets
is among them. Their licences, by each package's copyright file or the pages themselves: LibreOffice help MPL-2.0;
GNOME, Evince and gedit help CC-BY-SA-3.0; GIMP help GFDL-1.2+; Debian handbook GPL-2+ or CC-BY-SA-3.0; policy, new
maintainers' guide, developers' reference, aptitude and Debian Edu manuals GPL-2+; installation guide GPL-2; the FAQ may
be copied, changed and translated under its own notice; LilyPond GFDL-1.3+; Git GPL-2; Python PSF-2.0; PostgreSQL
PostgreSQL; manual pages GPL, GFDL, BSD and their own copyleft. What is shipped is a map fitted to their vectors, none
of their text.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from sparrow import settings
from sparrow.knowledge.chunk import title_of

from . import measure

PACKAGES = (
    "debian-handbook", "libreoffice-help-zh-cn", "libreoffice-help-en-us", "installation-guide-amd64",
    "gnome-user-docs", "developers-reference", "maint-guide-zh-cn", "maint-guide", "debian-faq-zh-cn", "debian-faq",
    "gimp-help-zh-cn", "gimp-help-en", "debian-edu-doc-zh-cn", "debian-edu-doc-en", "lilypond-doc-html",
    "lilypond-doc-html-zh", "debian-policy", "aptitude-doc-en", "python3.11-doc", "postgresql-doc-15", "git-doc",
    "manpages", "manpages-dev", "gedit-common", "evince-common")
_LEVELS = ("h1", "h2", "h3", "h4", "h5", "h6")
_VOID = ("meta", "link", "img", "input", "hr", "br", "base")
_SKIPPED = ("script", "style", "nav", "header", "aside", "footer", "button", "noscript", "title")
_CHROME = re.compile(r"navheader|navfooter|sphinxsidebar|\btoc\b|headerlink|related|contents-treeview|nav_table|TopLeft"
                     r"|leftside|rightside|fineprint")
_BLOCKS = ("p", "li", "dd", "dt", "pre", "td", "th", "div", "tr", "table", "ul", "ol", "dl", "section")


class Section(NamedTuple):
    """A section: sections with one `key` are translations of each other, `hints` are index words and summaries."""

    group: str
    titles: list[str]
    passages: list[str]
    key: tuple
    hints: list[str]


def chinese(text: str) -> bool:
    """Tell whether a text is Chinese, with some Latin words or not."""
    return len(re.findall("[\u4e00-\u9fff]", text)) > 0.12 * max(len(text), 1)


def cached(packages: Iterable[str]) -> Path:
    """Return a folder of the user's cache with the packages in it."""
    folder = settings.cache_dir() / "quality"
    fetch(folder, packages)
    return folder


def fetch(folder: Path, packages: Iterable[str] = PACKAGES) -> None:
    """Download and unpack the packages that are not there yet, each into a folder of its name; else exit saying so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in packages:
        if (folder / name).is_dir():
            continue
        try:
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            archive = next(folder.glob(f"{name}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", archive, folder / f"{name}.part"], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"the Debian package {name} cannot be fetched: {error}") from error
        archive.unlink()
        (folder / f"{name}.part").rename(folder / name)


class _Page(HTMLParser):
    """Collects (level, text): headings with their level, paragraphs with 0."""

    def __init__(self):
        super().__init__()
        self.items: list[tuple[int, str]] = []
        self.words: list[str] = []
        self._level = self._skipped = 0
        self._text: list[str] = []

    def flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if text:
            self.items.append((self._level, text))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "meta" and given.get("itemprop") == "keywords":
            self.words.append(given.get("content") or "")
        if tag in _VOID:
            return
        if self._skipped or tag in _SKIPPED or _CHROME.search(given.get("class") or ""):
            self._skipped += 1
        elif tag in _LEVELS:
            self.flush()
            self._level = int(tag[1])
        elif tag in _BLOCKS and not self._level:
            self.flush()

    def handle_endtag(self, tag):
        if tag in _VOID:
            return
        if self._skipped:
            self._skipped -= 1
        elif tag in _LEVELS:
            self.flush()
            self._level = 0
        elif tag in _BLOCKS and not self._level:
            self.flush()

    def handle_data(self, data):
        if not self._skipped:
            self._text.append(data)


def _sections(items: list[tuple[int, str]]) -> list[tuple[list[str], list[str]]]:
    path: list[tuple[int, str]] = []
    out: list[tuple[list[str], list[str]]] = []
    for level, text in items:
        if level:
            path = [*(one for one in path if one[0] < level), (level, title_of([text.replace("¶", "")]).strip())]
            out.append(([title for _, title in path], []))
        elif out:
            out[-1][1].append(text)
    return out


def _pieces(paragraphs: list[str]) -> list[str]:
    """Join paragraphs to passages of about the size that Sparrow cuts."""
    out, current = [], ""
    for text in paragraphs:
        limit = 400 if chinese(text) else 1100
        if current and len(current) + len(text) > limit:
            out.append(current)
            current = ""
        current = f"{current}\n{text}" if current else text
        while len(current) > limit * 1.5:
            cut = max(current.rfind(mark, limit // 2, limit) for mark in (". ", "。", "\n"))
            cut = cut + 1 if cut > 0 else limit
            out.append(current[:cut])
            current = current[cut:].strip()
    return [text for text in [*out, current] if len(text) > (20 if chinese(text) else 40)]


def _made(group: str, name: str, sections, hints: list[str]) -> Iterator[Section]:
    for number, (titles, paragraphs) in enumerate(sections):
        passages = _pieces(paragraphs)
        if passages and titles[-1]:
            # Two translations of a page are compared section by section if they have equally many.
            yield Section(group, titles, passages, (group, name, number, len(sections)), [] if number else hints)


def _html(group: str, folder: Path, pattern: str = "*.html", drop: str = "") -> Iterator[Section]:
    for file in sorted(folder.rglob(pattern)):
        if not file.name.startswith(("index", "genindex", "apc", "toc")):
            data = file.read_text("utf-8", "replace")
            page = _Page()
            page.feed(data[max(data.find("<body"), 0):])
            page.flush()
            name = str(file.relative_to(folder))
            yield from _made(group, name.replace(drop, "") if drop else name, _sections(page.items), page.words)


def _mallard(group: str, folder: Path) -> Iterator[Section]:
    """Yield the sections of GNOME's help pages."""
    for file in sorted(folder.rglob("*.page")):
        items: list[tuple[int, str]] = []
        hints: list[str] = []

        def walk(node, level: int, items=items, hints=hints) -> None:
            for child in node:
                tag = child.tag.split("}")[-1] if isinstance(child.tag, str) else ""
                text = " ".join("".join(child.itertext()).split()) if tag else ""
                if tag == "info":
                    hints += [" ".join("".join(one.itertext()).split()) for one in child
                              if str(one.tag).endswith("desc")]
                elif tag == "title" and node.tag.endswith(("}page", "}section")):
                    items.append((level, text))
                elif tag in ("p", "title", "screen", "code"):
                    items += [(0, text)] if text else []
                elif tag:
                    walk(child, level + (tag == "section"))

        walk(ET.parse(file).getroot(), 1)
        yield from _made(group, file.name, _sections(items), [one for one in hints if one])


def _manual_pages() -> Iterator[Section]:
    """Yield Chinese pages that are in neither set, each with the line that names it in both languages."""
    used = {name.removesuffix(".txt") for part in measure.QUESTIONS
            for name, _ in measure.sources(part, measure.LANGUAGES)}
    for file in sorted(measure.PAGES.glob("man[1-8]/*.gz")):
        name = file.name.removesuffix(".gz")
        if name in used:
            continue
        text = measure.plain(gzip.decompress(file.read_bytes()).decode("utf-8", "replace"))
        lines = []
        english = measure.PAGES.parent / file.parent.name / file.name
        for source in (english, file):
            if source.is_file():
                page = measure.plain(gzip.decompress(source.read_bytes()).decode("utf-8", "replace"))
                found = re.search(r"(?:NAME|名称|名字)[^\n]*\n+(.*?)\n\n", page, re.S)
                lines += re.split(r"\s[-—－]+\s?", " ".join(found[1].split()), maxsplit=1)[1:] if found else []
        lines = [line for line in lines if 4 < len(line) < 120]
        if len(text) > 300 and lines:
            yield Section("man", [name.rsplit(".", 1)[0]], _pieces(text.split("\n\n"))[:6], ("man", name, 0, 1), lines)


def sections(root: Path) -> Iterator[Section]:
    """Yield every section of the unpacked packages."""
    for package in ("gnome-user-docs", "gedit-common", "evince-common"):
        for language in ("C", "zh_CN"):
            yield from _mallard("gnome", root / package / "usr/share/help" / language)
    for package, language in (("en-us", "en-US"), ("zh-cn", "zh-CN")):
        yield from _html("libreoffice",
                         root / f"libreoffice-help-{package}/usr/share/libreoffice/help" / language / "text")
    for package, language in (("en", "en"), ("zh-cn", "zh_CN")):
        yield from _html("gimp", root / f"gimp-help-{package}/usr/share/gimp/2.0/help" / language)
        name = f"debian-edu-doc-{package}"
        yield from _html("edu", root / name / "usr/share/doc" / name, "*manual.html")
        yield from _html("install", root / "installation-guide-amd64/usr/share/doc/installation-guide-amd64" / language)
    for language in ("en-US", "zh-CN"):
        yield from _html("handbook", root / "debian-handbook/usr/share/doc/debian-handbook/html" / language)
    for group, package, place in (("faq", "debian-faq", "debian/FAQ"), ("maint", "maint-guide", "{}/html")):
        yield from _html(group, root / package / "usr/share/doc" / place.format(package), "*.en.html", ".en")
        chinese_place = place.format(package + "-zh-cn") + ("/zh-cn" if group == "faq" else "")
        yield from _html(group, root / f"{package}-zh-cn/usr/share/doc" / chinese_place, "*.html", ".zh-cn")
    for package in ("lilypond-doc-html-zh", "lilypond-doc-html"):
        yield from _html("lilypond", root / package / "usr/share/doc/lilypond/html/Documentation/learning", drop=".zh")
    for group, place in (("aptitude", "aptitude-doc-en/usr/share/doc/aptitude/html/en"),
                         ("policy", "debian-policy/usr/share/doc/debian-policy/policy.html"),
                         ("devref", "developers-reference/usr/share/developers-reference"),
                         ("postgres", "postgresql-doc-15/usr/share/doc/postgresql-doc-15/html"),
                         ("git", "git-doc/usr/share/doc/git-doc"),
                         *(("python", f"python3.11-doc/usr/share/doc/python3.11/html/{part}")
                           for part in ("faq", "howto", "tutorial", "using"))):
        yield from _html(group, root / place)
    yield from _manual_pages()
