"""Objects of Dify's API made to fit their forms as Dify reads them: "5" is a number where one is wanted."""

from __future__ import annotations

from typing import Any

import msgspec


def fitted(given: Any, form: type) -> Any:
    """Return a JSON object with the values of the types that a struct gives them; what the struct does not know stays.

    Raises msgspec.ValidationError where a value is of no use.
    """
    return _laid(given, msgspec.to_builtins(msgspec.convert(given, form, strict=False)))


def _laid(given: Any, known: Any) -> Any:
    if isinstance(given, dict) and isinstance(known, dict):
        return {name: _laid(value, known[name]) if name in known else value for name, value in given.items()}
    if isinstance(given, list) and isinstance(known, list):
        return [_laid(*pair) for pair in zip(given, known, strict=True)]
    return known
