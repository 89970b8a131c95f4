"""Where a text may be cut: paragraphs, lines, sentences, clauses, words, in Chinese and in English."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .tokens import estimate

# A sentence ends at Chinese marks with their closing quotes, or at . ! ? before a blank and no abbreviation.
_SENTENCE = re.compile(
    r"(?<=[。！？])(?![。！？”’」』）)\"'])|(?<=[。！？][”’」』）])"
    r"|(?<=[.!?])(?=\s)|(?<=[.!?][\"')\]])(?=\s)|(?<=\n)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|e\.g|i\.e|etc|vs|cf|al|Fig|Figs|Eq|Sec|Ch|No|Nr|Vol|pp|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Ltd|"
    r"Co|approx|ca|min|max|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec))\.$")
_CLAUSE = re.compile(r"(?<=[；，、;])|(?<=[,:])(?=\s)")
_WORD = re.compile(r"(?<=\s)")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text with their blanks; joined they are the text again."""
    out: list[str] = []
    for part in _SENTENCE.split(text):
        if not part:
            continue
        if out and (_ABBREVIATION.search(out[-1]) or not part.strip()):
            out[-1] += part
        else:
            out.append(part)
    return out


def pieces(text: str, limit: int) -> Iterator[str]:
    """Yield parts of at most `limit` tokens cut at the gentlest boundary that is fine enough."""
    if estimate(text) <= limit:
        yield text
        return
    for cut in (lambda t: re.split(r"(?<=\n\n)", t), sentences, _CLAUSE.split, _WORD.split):
        parts = [part for part in cut(text) if part]
        if len(parts) > 1:
            for part in parts:
                yield from pieces(part, limit)
            return
    # One word longer than a chunk: cut by characters.
    step = max(limit, 1) if text.isascii() is False else max(int(limit * 3.8), 1)
    for at in range(0, len(text), step):
        yield text[at:at + step]


def pack(text: str, limit: int, overlap: int = 0) -> list[str]:
    """Return chunks of at most `limit` tokens made of whole sentences where these fit.

    Each chunk but the first begins with the last sentences of the one before, up to `overlap` tokens.
    """
    if estimate(text) <= limit:
        return [text.strip()] if text.strip() else []
    out: list[str] = []
    current: list[tuple[str, int]] = []
    size = 0
    for piece in pieces(text, limit):
        count = estimate(piece)
        if current and size + count > limit:
            out.append("".join(part for part, _ in current).strip())
            kept: list[tuple[str, int]] = []
            room = min(overlap, limit - count)
            for part, tokens in reversed(current):
                room -= tokens
                if room < 0:
                    break
                kept.insert(0, (part, tokens))
            current, size = kept, sum(tokens for _, tokens in kept)
        current.append((piece, count))
        size += count
    if current:
        out.append("".join(part for part, _ in current).strip())
    return [chunk for chunk in out if chunk]
