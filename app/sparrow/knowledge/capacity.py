"""How much memory an index needs, and whether this machine has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sparrow.errors import TooLarge
from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

# Chroma's server: 31 MB idle, 112 MB with 20,000 vectors of 384 numbers (measured); per vector its own 4 bytes a
# number, times what the graph and the copies add.
BASE_BYTES = 40 << 20
FACTOR = 2.6
SHARE = 0.5  # of the machine's memory that indexes may take


def bytes_for(vectors: int, dimension: int) -> int:
    """Return the memory Chroma's index of so many vectors takes."""
    return BASE_BYTES + int(vectors * dimension * 4 * FACTOR)


def memory() -> int:
    """Return the bytes of memory this machine (or its cgroup) has."""
    total = 1 << 40
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) << 10
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit.isdigit():
            total = min(total, int(limit))
    except OSError:
        pass
    return total


def estimate(chunks: int, dimension: int = 512) -> dict[str, Any]:
    """Return what an import would need beside what is there: bytes now, after, and the limit."""
    with db.read() as tx:
        present = tx.execute(sa.select(sa.func.count()).select_from(t.units).where(
            t.units.c.uses.like("v%"))).scalar() or 0
    limit = int(memory() * SHARE)
    after = bytes_for(present + chunks, dimension)
    return {"vectors": present, "bytes_now": bytes_for(present, dimension), "bytes_after": after,
            "bytes_limit": limit, "bytes_per_10k": bytes_for(10_000, dimension) - BASE_BYTES, "fits": after <= limit}


def refusal(facts: dict[str, Any], chunks: int) -> TooLarge | None:
    """Return what is said, with the numbers, of an import of so many vectors that would not fit, else None."""
    if facts["fits"]:
        return None
    return TooLarge(
        f"The index would need {facts['bytes_after'] >> 20} MB of memory with these {chunks} passages; "
        f"{facts['bytes_limit'] >> 20} MB are available to it on this machine. Delete documents, or give the "
        "machine more memory.", code="index_too_large")


def check(dataset: Any, chunks: int) -> None:
    """Raise TooLarge for an import of so many vectors that would not fit."""
    error = refusal(estimate(chunks, dataset["embedding_dimension"] or 512), chunks)
    if error is not None:
        raise error
