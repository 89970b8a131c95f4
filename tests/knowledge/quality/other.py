"""A third set: a guide for those who make packages, and what programs' help pages say about burning discs and pictures.

Debian's debmake-doc (Expat) and the help of seven GNOME programs (CC BY-SA 3.0), in English and Chinese. The packages
are downloaded and unpacked into a cache, never installed.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

PACKAGES = ("debmake-doc", "brasero-common", "cheese-common", "eog", "totem-common", "baobab", "file-roller",
            "gnome-calculator")
CHAPTERS = range(2, 8)
_PARTS = {"title": "h2", "item": "li", "steps": "ul", "list": "ul", "terms": "ul"}
_KEPT = ("h2", "p", "li", "ul", "table", "tr", "td", "thead", "tbody")


def sources(languages: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return (name, content) of the documents in some languages; help pages without a translation are left out."""
    root = _unpacked() / "usr/share"
    out = []
    for language in languages:
        out += [(f"debmake{number:02}.{language}.html",
                 (root / f"doc/debmake-doc/html/ch{number:02}.{language}.html").read_bytes()) for number in CHAPTERS]
        folder = root / "help" / ("C" if language == "en" else "zh_CN")
        for program in sorted(path for path in folder.iterdir() if _help(path.name)):
            for page in sorted(program.glob("*.page")):
                text = page.read_text(encoding="utf-8")
                if language == "en" or len(re.findall("[\u4e00-\u9fff]", re.sub("<[^>]+>", "", text))) >= 40:
                    out.append((f"{program.name}__{page.stem}.{language}.html", _html(text).encode()))
    return out


def _help(program: str) -> bool:
    return any(name.removesuffix("-common") == program for name in PACKAGES)


def _html(page: str) -> str:
    """Return a Mallard page as HTML."""
    page = re.sub(r"<\?.*?\?>|<!--.*?-->|<info>.*?</info>", "", page, flags=re.S)

    def tag(match: re.Match) -> str:
        name = _PARTS.get(match[2], match[2])
        return f"<{match[1]}{name}>" if name in _KEPT else ""

    return "<html><body>" + re.sub(r"<(/?)([a-zA-Z]+)\b[^>]*>", tag, page) + "</body></html>"


def _unpacked() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparrow" / "quality-other"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if not (folder / name).exists():
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True)
            archive = next(folder.glob(f"{name}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
            archive.unlink()
            (folder / name).touch()
    return folder
