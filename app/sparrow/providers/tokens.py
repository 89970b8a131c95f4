"""An estimate of token counts, for servers that report none and for fitting histories into a context."""

from __future__ import annotations

import re

from sparrow.messages import Message

_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


def estimate(text: str) -> int:
    """Return about how many tokens a text has: a wide character counts 0.7, four others count one.

    Within a fifth of cl100k and Qwen's count on ordinary Chinese and English prose.
    """
    if not text:
        return 0
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return max(1, int(wide * 0.7 + (len(text) - wide) / 4 + 0.5))


def of_messages(messages: list[Message]) -> int:
    """Return about how many tokens a list of messages has; an image counts 500."""
    total = 0
    for message in messages:
        total += 4
        if isinstance(message.content, str):
            total += estimate(message.content)
        else:
            total += sum(estimate(part.data) if part.type == "text" else 500 for part in message.content)
        total += sum(estimate(call.arguments) + 8 for call in message.tool_calls)
    return total
