"""HTML pages: their main content, with headings, lists, code and tables (as Markdown)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .blocks import Block, Event, Image, ParseError
from .charset import codec, detect
from .headings import Path as HeadingPath
from .tables import blocks as table_blocks
from .tables import spread

_SKIP = frozenset(("script", "style", "noscript", "template", "svg", "head", "iframe", "object", "select",
                   "button", "nav", "input", "textarea", "datalist"))
_BLOCK = frozenset(("p", "div", "section", "article", "main", "ul", "ol", "dl", "dd", "dt", "blockquote",
                    "figure", "figcaption", "address", "header", "footer", "aside", "body", "html", "tr", "td",
                    "th", "details", "summary", "center", "fieldset", "hr", "table", "tbody", "thead", "caption"))
_NAVIGATION = frozenset(("toc", "navheader", "navfooter", "navbar", "navigation", "doc-toc", "breadcrumb",
                         "breadcrumbs", "pagination", "sphinxsidebar", "table-of-contents", "docnav"))
# Short ones of these lead elsewhere even where the links are pictures and the words the page's own title.
_BARS = frozenset(("navheader", "navfooter", "navbar", "breadcrumb", "breadcrumbs", "pagination", "docnav"))
_BAR = 400  # characters
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_BREAK = "\v"
Picture = Callable[[str], Image | None]
_MAX_NODES = 5_000_000


def parse(path: Path, images) -> Iterator[Event]:
    """Yield the blocks of an HTML file; its declared character set counts unless the bytes contradict it."""
    yield from blocks(decode(path.read_bytes()), picture=images.inline if images is not None else None)


def decode(data: bytes) -> str:
    """Return the page's text: byte order mark, then UTF-8 if it fits, then what the page declares, then a guess."""
    guess = detect(data)
    declared = _DECLARED.search(data[:4096])
    if declared and not guess.startswith("utf"):
        try:
            return data.decode(codec(declared[1].decode("ascii", "replace")), errors="replace")
        except LookupError:
            pass
    return data.decode(guess, errors="replace")


def blocks(markup: str, place_kind: str = "", place: str = "", base: list[str] | None = None,
           picture: Picture | None = None) -> Iterator[Block | Image]:
    """Yield blocks of HTML text and the pictures in them.

    `base` is a path of headings above the whole page (a book's chapter); `picture` keeps the one of an address.
    """
    from selectolax.lexbor import LexborHTMLParser

    try:
        tree = LexborHTMLParser(markup)
    except Exception as error:
        raise ParseError("The page cannot be read as HTML.", code="corrupt_file") from error
    root = main_element(tree)
    if root is None:
        return
    yield from _walk(root, place_kind, place, base or [], picture or (lambda address: None))


def main_element(tree):
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
    links = element.css("a")
    length = len((element.text(deep=True) or "").strip())
    if links and length <= _BAR and not _BARS.isdisjoint(names):
        return True
    return sum(len(link.text(deep=True) or "") for link in links) > 0.5 * length


def _walk(root, place_kind: str, place: str, base: list[str], picture: Picture) -> Iterator[Block | Image]:
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
            title = " ".join(_squeeze(_text(item)).split())
            if title:
                headings.enter(int(tag[1]), title)
                yield Block(title, "heading", place_kind, place, base + headings.path())
            continue
        if tag == "pre":
            yield from flush()
            code = _text(item).replace(_BREAK, "\n").strip("\n")
            if code.strip():
                yield Block(code, "code", place_kind, place, base + headings.path())
            continue
        if tag == "table" and len(item.css("table")) < 2:  # the selector finds the element itself too
            rows = list(spread([(_squeeze(_text(cell)), _span(cell, "colspan"), _span(cell, "rowspan"))
                                for cell in row.css("td, th")] for row in item.css("tr")))
            if sum(1 for row in rows if sum(map(bool, row)) > 1) > 1:  # else it only lays the page out
                yield from flush()
                for text in table_blocks(rows):
                    yield Block(text, "table", place_kind, place, base + headings.path())
                continue
        if tag == "br":
            inline.append(_BREAK)
            continue
        if tag == "img":
            alt = " ".join((item.attributes.get("alt") or "").replace("[", "(").replace("]", ")").split())
            image = picture(item.attributes.get("src") or "")
            if image is not None:
                yield image
                inline.append(f" ![{alt or image.name}](image:{image.number}) ")
            elif alt:
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


def _text(element) -> str:
    """Return an element's text, with _BREAK where a tag ends a line."""
    out: list[str] = []
    todo: list = [element]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        tag = item.tag
        if tag == "-text":
            out.append(item.text_content or "")
        elif tag == "br":
            out.append(_BREAK)
        elif tag in ("script", "style", "template") or tag is None:
            continue
        else:
            apart = item is not element and (tag in _BLOCK or tag == "li")
            if apart:
                out.append(_BREAK)
                todo.append(_BREAK)
            child = item.last_child
            while child is not None:
                todo.append(child)
                child = child.prev
    return "".join(out)


def _span(cell, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return min(max(int(value), 1), 1000) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _squeeze(text: str) -> str:
    """Return text as a browser shows it: blanks and line ends of the source are one blank, _BREAK ends a line."""
    lines = (_unwrap(line) for line in text.replace("\xa0", " ").split(_BREAK))
    return "\n".join(line for line in lines if line)


def _unwrap(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    # A line end inside a paragraph is a blank in Western text and nothing between two Chinese characters.
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])", "",
                  "\n".join(line for line in lines if line)).replace("\n", " ").strip()
