"""Text that every encoder takes: JSON can carry half of a character, UTF-8 cannot."""

from __future__ import annotations

import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")


def whole(value: Any) -> Any:
    """Return a JSON value (or text) whose surrogates are joined, or U+FFFD where one stands alone.

    It is the same object if there are none in it.
    """
    if isinstance(value, str):
        if value.isascii() or not _HALF.search(value):
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        made = {whole(key): whole(item) for key, item in value.items()}
        same = all(key is old and item is value[old] for (key, item), old in zip(made.items(), value, strict=False))
        return value if same and len(made) == len(value) else made
    if isinstance(value, list):
        items = [whole(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value
