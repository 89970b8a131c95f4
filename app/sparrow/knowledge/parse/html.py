"""HTML pages: their main content, with headings, lists, code and tables (as Markdown)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import Block, Event, ParseError
from .charset import detect
from .headings import Path as HeadingPath
from .tables import blocks as table_blocks

_SKIP = frozenset(("script", "style", "noscript", "template", "svg", "head", "iframe", "object", "select",
                   "button", "nav", "form"))
_BLOCK = frozenset(("p", "div", "section", "article", "main", "ul", "ol", "dl", "dd", "dt", "blockquote",
                    "figure", "figcaption", "address", "header", "footer", "aside", "body", "html", "tr", "td",
                    "th", "details", "summary", "center", "fieldset", "hr", "table", "tbody", "thead", "caption"))
_NAVIGATION = frozenset(("toc", "navheader", "navfooter", "navbar", "navigation", "doc-toc", "breadcrumb",
                         "breadcrumbs", "pagination", "sphinxsidebar", "table-of-contents"))
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_MAX_NODES = 5_000_000


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the blocks of an HTML file; its declared character set counts unless the bytes contradict it."""
    yield from blocks(decode(path.read_bytes()))


def decode(data: bytes) -> str:
    """Return the page's text: byte order mark, then UTF-8 if it fits, then what the page declares, then a guess."""
    guess = detect(data)
    declared = _DECLARED.search(data[:4096])
    if declared and not guess.startswith("utf"):
        name = declared[1].decode("ascii", "replace").lower()
        name = "gb18030" if name in ("gb2312", "gbk", "gb_2312-80") else name
        try:
            return data.decode(name, errors="replace")
        except LookupError:
            pass
    return data.decode(guess, errors="replace")


def blocks(markup: str, place_kind: str = "", place: str = "", base: list[str] | None = None) -> Iterator[Block]:
    """Yield blocks of HTML text; `base` is a path of headings above the whole page (a book's chapter)."""
    from selectolax.lexbor import LexborHTMLParser

    try:
        tree = LexborHTMLParser(markup)
    except Exception as error:
        raise ParseError("The page cannot be read as HTML.", code="corrupt_file") from error
    root = _main(tree)
    if root is None:
        return
    yield from _walk(root, place_kind, place, base or [])


def _main(tree):
    """Return the element that holds the page's content."""
    body = tree.body
    if body is None:
        return tree.root
    size = len(body.text(deep=True) or "")
    for selector in ("main", "article", "[role=main]"):
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text(deep=True) or "") > size * 0.4:
            return found[0]
    return body


def _navigates(element) -> bool:
    """Tell whether an element only leads elsewhere: it is called a table of contents or the like, and is of links.

    Its titles would answer every question, with nothing behind them.
    """
    attributes = element.attributes
    names = " ".join(attributes.get(key) or "" for key in ("class", "id", "role")).lower().split()
    if _NAVIGATION.isdisjoint(names):
        return False
    links = sum(len(link.text(deep=True) or "") for link in element.css("a"))
    return links > 0.5 * len((element.text(deep=True) or "").strip())


def _walk(root, place_kind: str, place: str, base: list[str]) -> Iterator[Block]:
    """Go through the tree without recursion: a hostile page may be nested a million deep."""
    headings = HeadingPath()
    inline: list[str] = []
    mark = ""

    def flush():
        nonlocal mark
        text = _squeeze("".join(inline))
        inline.clear()
        if text:
            prefix, mark = mark, ""
            yield Block(prefix + text, "text", place_kind, place, base + headings.path())

    # Items are nodes to enter, or a string that says what to do when a node's children are done.
    todo: list = [root]
    seen = 0
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield from flush()
            continue
        seen += 1
        if seen > _MAX_NODES:
            raise ParseError("The page has too many elements.", code="too_large")
        tag = item.tag
        if tag == "-text":
            inline.append(item.text_content or "")
            continue
        if tag is None or tag in _SKIP or tag.startswith("-") or tag == "_comment":
            continue
        if item is not root and _navigates(item):
            continue
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            yield from flush()
            title = _squeeze(item.text(deep=True) or "")
            if title:
                headings.enter(int(tag[1]), title)
                yield Block(title, "heading", place_kind, place, base + headings.path())
            continue
        if tag == "pre":
            yield from flush()
            code = (item.text(deep=True) or "").strip("\n")
            if code.strip():
                yield Block(code, "code", place_kind, place, base + headings.path())
            continue
        if tag == "table" and not item.css("table table"):
            rows = [[_squeeze(cell.text(deep=True) or "") for cell in row.css("td, th")]
                    for row in item.css("tr")]
            if sum(1 for row in rows if sum(map(bool, row)) > 1) > 1:  # else it only lays the page out
                yield from flush()
                for text in table_blocks(rows):
                    yield Block(text, "table", place_kind, place, base + headings.path())
                continue
        if tag == "br":
            inline.append("\n")
            continue
        if tag == "img":
            alt = (item.attributes.get("alt") or "").strip()
            if alt:
                inline.append(f" [{alt}] ")
            continue
        if tag == "li":
            yield from flush()
            mark = "- "
            todo.append("flush")
        elif tag in _BLOCK:
            yield from flush()
            todo.append("flush")
        child = item.last_child
        while child is not None:
            todo.append(child)
            child = child.prev
    yield from flush()


def _squeeze(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.replace("\xa0", " ").split("\n"))
    joined: list[str] = []
    for line in lines:
        if line:
            joined.append(line)
    # A line end inside a paragraph is a blank in Western text and nothing between two Chinese characters.
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])", "",
                  "\n".join(joined)).replace("\n", " ").strip()
