"""Names of the functions that a model is offered."""

from __future__ import annotations

import re
from collections.abc import Container

_LONGEST = 64  # what OpenAI's API takes


def distinct(name: str, owner: str, taken: Container[str]) -> str:
    """Return the name under which a tool is offered: its own, or with its owner's in front where that is taken."""
    if name not in taken:
        return name
    longer = re.sub(r"[^a-zA-Z0-9_-]+", "_", f"{owner.rpartition('/')[2]}_{name}").strip("_")[-_LONGEST:]
    found, number = longer, 2
    while found in taken:
        end = f"_{number}"
        found, number = longer[:_LONGEST - len(end)] + end, number + 1
    return found
