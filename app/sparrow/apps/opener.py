"""The opening statement of a conversation."""

from __future__ import annotations

import re
from typing import Any

from sparrow.apps.prepared import Definition

_ANY = re.compile(r"\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29}|#(?:histories|query|context)#)\}\}")
_SLOT = re.compile(r"\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29})\}\}")


def render(definition: Definition, inputs: dict[str, Any]) -> str:
    """Return the app's opening statement with the inputs filled in."""
    text = definition.features.get("opening_statement")
    return fill(text, inputs) if isinstance(text, str) and text else ""


def fill(text: str, inputs: dict[str, Any]) -> str:
    """Replace each `{{name}}` by the input of that name; absent values become empty.

    What would be a slot afterwards, of an unknown name or in an input, has single braces, as in Dify: nobody can
    have it filled by a later step.
    """
    return _SLOT.sub(lambda slot: _ANY.sub(r"{\1}", _shown(inputs.get(slot[1], slot[0]))), text)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
