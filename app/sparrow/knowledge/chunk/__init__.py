"""Blocks to chunks: cleaning, splitting, preview, tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sparrow.knowledge.parse.blocks import Block

from . import qa, rules
from .split import TITLE_END, Chunk, chunks, context, title_of
from .tokens import estimate

__all__ = ["TITLE_END", "Chunk", "context", "cut", "estimate", "preview", "rules", "title_of"]

PREVIEW_CHUNKS = 50


def cut(blocks: Iterable[Block], rule: rules.Rule, doc_form: str, *, ask: qa.Ask | None = None,
        language: str = "English") -> Iterator[Chunk]:
    """Yield the chunks of a document's blocks, in any of the three forms."""
    if doc_form == "qa_model":
        return qa.pairs(blocks, rule, ask=ask, language=language)
    return chunks(blocks, rule, doc_form)


def preview(blocks: Iterable[Block], rule: rules.Rule, doc_form: str, *, limit: int = PREVIEW_CHUNKS,
            ask: qa.Ask | None = None, language: str = "English") -> dict[str, Any]:
    """Return Dify's estimate object: the number of chunks and the first ones.

    `total_segments` counts what the given blocks make; the caller may pass only the beginning of a long document.
    """
    found = cut(blocks, rule, doc_form, ask=ask, language=language)
    first = list(islice(found, limit))
    total = len(first) + sum(1 for _ in found)
    return {
        "total_segments": total,
        "preview": [{"content": chunk.content, "child_chunks": chunk.children or None, "heading": chunk.heading,
                     "place": chunk.place, "place_kind": chunk.place_kind, "tokens": estimate(chunk.content)}
                    for chunk in first],
        "qa_preview": [{"question": chunk.content, "answer": chunk.answer} for chunk in first
                       if chunk.answer is not None] or None,
    }
