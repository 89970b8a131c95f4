"""Secrets at rest: AES-256-GCM with a key that never leaves the box.

The key is a file of its own, so that a copied database opens nothing.
"""

import base64
import os
from functools import lru_cache
from pathlib import Path

from sparrow import settings
from sparrow.errors import SparrowError
from sparrow.storage import durable

_PREFIX = "v1:"


class SecretError(SparrowError):
    """A stored secret cannot be opened with this box's key."""

    code, status = "secret_unreadable", 500


def encrypt(text: str) -> str:
    """Return `v1:` plus base64 of nonce and ciphertext."""
    nonce = os.urandom(12)
    return _PREFIX + base64.b64encode(nonce + _cipher().encrypt(nonce, text.encode(), None)).decode()


def decrypt(stored: str) -> str:
    """Return the text that `encrypt` was given; raise SecretError if it was made with another key."""
    try:
        raw = base64.b64decode(stored.removeprefix(_PREFIX), validate=True)
        return _cipher().decrypt(raw[:12], raw[12:], None).decode()
    except Exception as error:
        raise SecretError("A stored key cannot be opened: it was saved on another box. Enter it again.") from error


def mask(secret: str) -> str:
    """Return the secret as the console shows it: its ends, and nothing of a short one."""
    return "******" if len(secret) < 12 else f"{secret[:4]}******{secret[-4:]}"


def _cipher():
    return _cipher_of(settings.get().data_dir)


@lru_cache(maxsize=4)
def _cipher_of(data_dir: Path):
    # Imported at first use: a box without a provider key never pays for it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(durable.make(Path(data_dir) / "config" / "secret.key", os.urandom(32), 0o640))
