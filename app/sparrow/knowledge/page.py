"""A web page as a reader of sites needs it: its title, text, links, and the part of it that is its own."""

from __future__ import annotations

import html as entities
import re
from urllib.parse import urljoin

from .parse import html

_FEW = 40  # characters: a page of scripts says no more than that it is loading
_LOGIN = 600  # characters that a page which only asks for a password may have
_REFRESH = re.compile(r"^\s*[\d.]+\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.I)
_ASIDE = ("nav", "footer", "aside", "form", "script", "style", "noscript", "template", "iframe", "[hidden]",
          "[aria-hidden=true]", "[role=navigation]", "[role=banner]", "[role=contentinfo]", "[role=complementary]",
          "[role=search]", "[role=dialog]")
_LISTS = "ul, ol, dl, div, td"


class Page:
    """A page by its bytes and its address."""

    def __init__(self, content: bytes, url: str):
        from selectolax.lexbor import LexborHTMLParser

        self.markup = html.decode(content)
        self._parse = LexborHTMLParser
        try:
            self._tree = LexborHTMLParser(self.markup)
        except Exception as error:
            raise html.ParseError("The page cannot be read as HTML.", code="corrupt_file") from error
        self._text: str | None = None
        base = self._tree.css_first("base[href]")
        self.url = url
        self._base = join(url, base.attributes.get("href")) or url if base is not None else url

    def title(self) -> str:
        """Return the title, or the first heading; up to 120 characters, "" for neither."""
        for selector in ("title", "h1", "h2"):
            found = self._tree.css_first(selector)
            words = " ".join((found.text(deep=True) or "").split()) if found is not None else ""
            if words:
                return words[:120]
        return ""

    def description(self) -> str:
        """Return what the page says it is about; "" if it says nothing."""
        found = self._tree.css_first("meta[name=description]")
        return " ".join((found.attributes.get("content") or "").split())[:500] if found is not None else ""

    def text(self) -> str:
        """Return the text that is indexed of the page."""
        if self._text is None:
            self._text = "\n\n".join(block.text for block in html.blocks(self.markup) if isinstance(block, html.Block))
        return self._text

    def links(self) -> list[str]:
        """Return the addresses the page leads to: links, frames, and where it sends its reader by itself."""
        found = [node.attributes.get("href") or node.attributes.get("src")
                 for node in self._tree.css("a[href], area[href], frame[src], iframe[src]")]
        for node in self._tree.css("meta[http-equiv]"):
            refresh = _REFRESH.match(node.attributes.get("content") or "")
            if refresh and (node.attributes.get("http-equiv") or "").lower() == "refresh":
                found.insert(0, refresh[1])
        return list(dict.fromkeys(link for link in (join(self._base, given) for given in found) if link))

    def canonical(self) -> str | None:
        """Return the address that the page says is its own."""
        found = self._tree.css_first("link[rel=canonical][href]")
        return join(self._base, found.attributes.get("href")) if found is not None else None

    def problem(self, text: str) -> str | None:
        """Tell why a page with this text is none to index: `login`, `scripts`, `empty`; None where it is one."""
        if len(text) < _LOGIN and self._tree.css_first("input[type=password]") is not None:
            return "login"
        if len(text) < _FEW and self._tree.css_first("script") is not None:
            return "scripts"
        return None if text.strip() else "empty"

    def main(self) -> bytes:
        """Return a page of only this one's own text: no menus, banners, side columns, forms and scripts."""
        tree = self._parse(self.markup)
        root = html.main_element(tree)
        if root is None:
            return self.markup.encode("utf-8", "replace")
        before = len(_words(root))
        _remove(root.css(", ".join(_ASIDE)))
        if root.tag == "body":
            _remove([node for node in root.css("header") if node.css_first("h1") is None])
        kept = root.html or ""
        rest = len(_words(root))
        _remove([node for node in root.css(_LISTS) if node.mem_id != root.mem_id and _is_menu(node)])
        # A page that is a list of links is what it is; one whose text is in a form as well.
        if len(_words(root)) >= rest * 0.3:
            kept, rest = root.html or "", len(_words(root))
        if rest < before * 0.1:
            return self.markup.encode("utf-8", "replace")
        body = kept if root.tag == "body" else f"<body>{kept}</body>"
        return (f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{entities.escape(self.title())}</title>'
                f"</head>\n{body}</html>\n").encode("utf-8", "replace")


def join(base: str, given: str | None) -> str | None:
    """Return an address of the web that stands on a page, without its fragment; None for what is none (mailto:)."""
    try:
        url = urljoin(base, re.sub(r"[\x00-\x1f\x7f]", "", given or "").strip()).partition("#")[0]
    except ValueError:
        return None
    return url if re.match(r"https?://[^\s/]", url) and len(url) <= 2000 else None


def _words(node) -> str:
    return " ".join((node.text(deep=True) or "").split())


def _is_menu(node) -> bool:
    """Tell whether nearly all that an element says are links, several of them.

    Anchors without an address are no links, though their text is: `<a id="x"/>` holds all that follows it.
    """
    links = node.css("a[href]")
    few = 8 if node.tag == "td" else 4  # a cell of links is a column of the page, or one of a table's
    return (len(links) >= few and node.css_first("h1, h2, h3, h4, h5, h6, pre, th") is None
            and sum(len(_words(link)) for link in links) > 0.8 * len(_words(node)))


def _remove(nodes: list) -> None:
    """Take elements out of their page; one that is inside another goes with it, and must not be touched after it."""
    ids = {node.mem_id for node in nodes}
    outermost = []
    for node in nodes:
        above = node.parent
        while above is not None and above.mem_id not in ids:
            above = above.parent
        if above is None:
            outermost.append(node)
    for node in outermost:
        node.decompose()
