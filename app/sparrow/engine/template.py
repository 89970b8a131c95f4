"""Text templates with `{{#node.name#}}` references."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sparrow.engine.pool import Pool
from sparrow.engine.values import MISSING, markdown, text

REFERENCE = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}")

Parts = tuple[str | tuple[str, ...], ...]


@lru_cache(maxsize=4096)
def parse(source: str) -> Parts:
    """Return the template's parts in order: literal text as str, references as selector tuples."""
    if "{{#" not in source:
        return (source,) if source else ()
    parts: list[str | tuple[str, ...]] = []
    for index, piece in enumerate(REFERENCE.split(source)):
        if index % 2:
            parts.append(tuple(piece.split(".")))
        elif piece:
            parts.append(piece)
    return tuple(parts)


def selectors(source: str) -> list[tuple[str, ...]]:
    """Return the selectors a template refers to."""
    return [part for part in parse(source) if isinstance(part, tuple)]


def _fill(parts: Parts, pool: Pool, form: Callable[[Any], str]) -> str:
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        else:
            value = pool.get(part)
            out.append(".".join(part) if value is MISSING else form(value))
    return "".join(out)


def render(source: str, pool: Pool) -> str:
    """Fill a template with plain text forms; a reference without value becomes its bare selector."""
    return _fill(parse(source), pool, text) if source else ""


def render_markdown(source: str, pool: Pool) -> str:
    """Fill a template with Markdown forms, as answers do."""
    return _fill(parse(source), pool, markdown) if source else ""
