"""Cleaning of text before it is split: what Dify's rules of the same names do."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\ufeff\u200b\u00ad]")
_BLANKS = re.compile("[\t\f\r\x20\u00a0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]{2,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
_EMAIL = re.compile(r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]*[a-zA-Z0-9]")
_URL = re.compile(r"https?://[^\s)>\]，。；、）】》]+")
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")


def clean(text: str, rules: frozenset[str], *, code: bool = False) -> str:
    """Return the text without control characters, and as the named rules ask.

    `rules`: remove_extra_spaces, remove_urls_emails. The indentation of code and the targets of Markdown links
    and pictures are kept.
    """
    text = _CONTROL.sub("", text.replace("\r\n", "\n"))
    if "remove_urls_emails" in rules:
        kept: list[str] = []

        def hide(match):
            kept.append(match[2])
            return f"{match[1]}\x00{len(kept) - 1}\x00{match[3]}"

        text = _LINK.sub(hide, text)
        text = _URL.sub("", _EMAIL.sub("", text))
        text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)
    if "remove_extra_spaces" in rules:
        text = _EMPTY_LINES.sub("\n\n", text)
        if not code:
            text = _BLANKS.sub(" ", text)
    return text.strip("\n") if code else text.strip()
