"""Hide secrets in what is recorded and shown of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sparrow.engine import events as ev

MASK = "********************"
_SHORTEST = 4  # shorter secrets would blot out ordinary text


def masked(events: Iterator[ev.Event], secrets: Collection[str]) -> Iterator[ev.Event]:
    """Yield the events with every secret in recorded values and errors replaced by stars.

    The text of answers stays: what an author writes into an answer is meant for its reader.
    """
    words = sorted((word for word in secrets if len(word) >= _SHORTEST), key=len, reverse=True)
    if not words:
        yield from events
        return
    for event in events:
        for name in ("inputs", "outputs", "process_data", "error"):
            value = getattr(event, name, None)
            if value and not (name == "outputs" and isinstance(event, ev.RunFinished)):
                setattr(event, name, _mask(value, words))
        yield event


def _mask(value: Any, words: list[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            if word in value:
                value = value.replace(word, MASK)
        return value
    if isinstance(value, dict):
        return {key: _mask(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_mask(item, words) for item in value]
    return value
