"""What a site's robots.txt allows (RFC 9309): groups of rules by agent, the longest rule wins, `*` and `$` in paths.

The standard library's parser takes the first rule that fits and knows no `*`: it would go where most sites forbid it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

MAX_TEXT = 512 << 10  # bytes that are read of it


class Robots:
    """The rules for one agent: `allows(url)`, `delay` in seconds between requests, `sitemaps` as addresses."""

    def __init__(self, text: str, agent: str):
        self.delay = 0.0
        self.sitemaps: list[str] = []
        groups: dict[str, list[tuple[str, str]]] = {}
        named: list[str] = []
        open_ = False  # whether the group is still being named
        for line in text.lstrip("\ufeff").splitlines():
            field, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
            field = field.lower()
            if not colon:
                continue
            if field == "user-agent":
                named = [*named, value.lower()] if open_ else [value.lower()]
                groups.setdefault(value.lower(), [])
                open_ = True
            elif field == "sitemap":
                self.sitemaps.append(value)
            else:
                open_ = False
                for name in named:
                    groups[name].append((field, value))
        rules = groups.get(agent.lower(), groups.get("*", []))
        self._rules = [(plain(value), field == "allow") for field, value in rules
                       if field in ("allow", "disallow") and value]
        for field, value in rules:
            if field == "crawl-delay" and value.replace(".", "", 1).isdigit():
                self.delay = float(value)

    def allows(self, url: str) -> bool:
        """Tell whether an address of the site may be fetched."""
        parts = urlsplit(url)
        path = plain(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found = [(len(rule), allowed) for rule, allowed in self._rules
                 if fits(rule.removesuffix("$"), path, whole=rule.endswith("$"))]
        return max(found)[1] if found else True  # of two as long as each other the one that allows


def plain(path: str) -> str:
    """Return a path with its characters written in the one way: `%7e` and `~`, `泵` and `%E6%B3%B5` are the same."""
    return quote(unquote(path, errors="surrogateescape"), safe="/*$?&=:;,@!~'()+[]", errors="surrogateescape")


def fits(pattern: str, text: str, *, whole: bool) -> bool:
    """Tell whether a text begins with a pattern, in which `*` stands for anything; with `whole` whether it is it."""
    first, *others = pattern.split("*")
    if not text.startswith(first):
        return False
    at = len(first)
    last = others.pop() if whole and others else None
    for part in others:  # the leftmost place leaves most room for what follows: no going back
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if not whole:
        return True
    return at == len(text) if last is None else len(text) - at >= len(last) and text.endswith(last)
