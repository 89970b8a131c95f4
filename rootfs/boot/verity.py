"""Compute the root hash with which Linux's dm-verity proves a read-only file system, block by block.

The format is the kernel's (Documentation/admin-guide/device-mapper/verity.rst), version 1, SHA-256.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

BLOCK = 4096


def root_hash(image: Path, salt: bytes) -> tuple[str, int]:
    """Return the root hash, in hexadecimal, and the number of data blocks of an image."""
    hashes = [_hash(block, salt) for block in _blocks(image)]
    count = len(hashes)
    per_block = BLOCK // hashlib.sha256().digest_size
    while len(hashes) > 1:
        groups = (b"".join(hashes[at : at + per_block]) for at in range(0, len(hashes), per_block))
        hashes = [_hash(group.ljust(BLOCK, b"\0"), salt) for group in groups]
    return hashes[0].hex(), count


def _blocks(image: Path) -> Iterator[bytes]:
    with image.open("rb") as file:
        while block := file.read(BLOCK):
            yield block.ljust(BLOCK, b"\0")


def _hash(block: bytes, salt: bytes) -> bytes:
    return hashlib.sha256(salt + block).digest()
