"""A third set: a guide for those who make packages, and what programs' help pages say about burning discs and pictures.

Debian's debmake-doc (Expat) and the help of seven GNOME programs (CC BY-SA 3.0), in English and Chinese. The packages
are downloaded and unpacked into a cache, never installed.
"""

from __future__ import annotations

import re

from . import train_texts

GUIDE = "debmake-doc"
HELP = ("baobab", "brasero-common", "cheese-common", "eog", "file-roller", "gnome-calculator", "totem-common")
CHAPTERS = range(2, 8)
_PARTS = {"title": "h2", "item": "li", "steps": "ul", "list": "ul", "terms": "ul"}
_KEPT = ("h2", "p", "li", "ul", "table", "tr", "td", "thead", "tbody")


def sources(languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of the documents in some languages; help pages without a translation are left out."""
    root = train_texts.cached((GUIDE, *HELP))
    out = []
    for language in languages:
        guide = root / GUIDE / "usr/share/doc" / GUIDE / "html"
        out += [(f"debmake{number:02}.{language}.html", (guide / f"ch{number:02}.{language}.html").read_bytes())
                for number in CHAPTERS]
        for package in HELP:
            program = package.removesuffix("-common")
            folder = root / package / "usr/share/help" / ("C" if language == "en" else "zh_CN") / program
            for page in sorted(folder.glob("*.page")):
                text = page.read_text(encoding="utf-8")
                if language == "en" or len(re.findall("[\u4e00-\u9fff]", re.sub("<[^>]+>", "", text))) >= 40:
                    out.append((f"{program}__{page.stem}.{language}.html", _html(text).encode()))
    return out


def _html(page: str) -> str:
    """Return a Mallard page as HTML."""
    page = re.sub(r"<\?.*?\?>|<!--.*?-->|<info>.*?</info>", "", page, flags=re.S)

    def tag(match: re.Match) -> str:
        name = _PARTS.get(match[2], match[2])
        return f"<{match[1]}{name}>" if name in _KEPT else ""

    return "<html><body>" + re.sub(r"<(/?)([a-zA-Z]+)\b[^>]*>", tag, page) + "</body></html>"
