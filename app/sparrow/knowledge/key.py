"""Knowledge keys: one opens every base through the service API. Shown once, kept as hashes."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.secrets import mask
from sparrow.storage.tables.knowledge import dataset_keys

MAX_KEYS = 10
_KEY = db.Lookup(dataset_keys.select().where(dataset_keys.c.token_hash == sa.bindparam("hash")))
_USED_EVERY = 600.0  # seconds: writing the last use on each call would cost an fsync


def create(name: str = "") -> tuple[dict[str, Any], str]:
    """Make a key; return its row and the key itself, which nobody can read again."""
    token = ids.token("dataset-")
    row = {"id": ids.new_id(), "name": name.strip()[:255], "token_hash": _hash(token), "masked": mask(token),
           "last_used_at": None, "created_at": clock.now()}
    with db.write() as tx:
        if (tx.execute(sa.select(sa.func.count()).select_from(dataset_keys)).scalar() or 0) >= MAX_KEYS:
            raise BadRequest(f"Cannot create more than {MAX_KEYS} API keys for this resource type.",
                             code="max_keys_exceeded")
        tx.execute(dataset_keys.insert(), row)
    return row, token


def find() -> list[dict[str, Any]]:
    """Return all keys, oldest first."""
    with db.read() as tx:
        return [dict(row) for row in tx.execute(
            dataset_keys.select().order_by(dataset_keys.c.created_at)).mappings()]


def delete(key_id: str) -> None:
    """Delete a key; raise NotFound."""
    with db.write() as tx:
        if tx.execute(dataset_keys.delete().where(dataset_keys.c.id == key_id)).rowcount == 0:
            raise NotFound("API key not found.")


def authenticate(token: str) -> bool:
    """Tell whether a key opens the knowledge bases."""
    with db.read() as tx:
        row = _KEY.first(tx, {"hash": _hash(token)})
    if row is None:
        return False
    if row.last_used_at is None or clock.now() - row.last_used_at > _USED_EVERY:
        with db.write() as tx:
            tx.execute(dataset_keys.update().where(dataset_keys.c.id == row.id).values(last_used_at=clock.now()))
    return True


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
