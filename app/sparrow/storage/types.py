"""Column types the standard set lacks."""

from typing import Any

import msgspec
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Json(TypeDecorator):
    """Any JSON value, kept as compact UTF-8 text so that both databases store and export it alike."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect) -> str | None:
        """Encode a Python value; None stays SQL NULL."""
        return None if value is None else _encode(value).decode()

    def process_result_value(self, value: str | None, dialect) -> Any:
        """Decode the stored text."""
        return None if value is None else _decode(value)
