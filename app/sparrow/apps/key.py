"""API keys of apps: shown once, kept as hashes."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps import app
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.secrets import mask
from sparrow.storage.tables.apps import app_keys, apps

MAX_KEYS = 10
# How stale `last_used_at` may be: writing it on each call would cost an fsync.
_USED_EVERY = 600.0


def create(app_id: str, name: str = "") -> tuple[Row, str]:
    """Make a key; return its row and the key itself, which nobody can read again."""
    app.get(app_id)
    token = ids.token("app-")
    row = {"id": ids.new_id(), "app_id": app_id, "name": name.strip()[:255], "token_hash": _hash(token),
           "masked": mask(token), "created_at": clock.now()}
    with db.write() as tx:
        count = tx.execute(sa.select(sa.func.count()).select_from(app_keys)
                           .where(app_keys.c.app_id == app_id)).scalar_one()
        if count >= MAX_KEYS:
            raise BadRequest(f"Cannot create more than {MAX_KEYS} API keys for this resource type.",
                             code="max_keys_exceeded")
        tx.execute(app_keys.insert().values(**row))
        return tx.execute(sa.select(app_keys).where(app_keys.c.id == row["id"])).first(), token


def find(app_id: str) -> list[Row]:
    """Return an app's keys, oldest first."""
    with db.read() as tx:
        return tx.execute(sa.select(app_keys).where(app_keys.c.app_id == app_id)
                          .order_by(app_keys.c.created_at)).all()


def delete(app_id: str, key_id: str) -> None:
    """Delete a key; whoever uses it is refused from then on."""
    with db.write() as tx:
        gone = tx.execute(app_keys.delete().where(app_keys.c.id == key_id, app_keys.c.app_id == app_id))
        if gone.rowcount == 0:
            raise NotFound("API key not found")


def authenticate(token: str) -> Row | None:
    """Return the app that a key opens, or None."""
    with db.read() as tx:
        row = _APP_OF_KEY.first(tx, {"token_hash": _hash(token)})
    if row is None:
        return None
    if row.key_used_at is None or clock.now() - row.key_used_at > _USED_EVERY:
        with db.write() as tx:
            tx.execute(app_keys.update().where(app_keys.c.id == row.key_id).values(last_used_at=clock.now()))
    return row


_APP_OF_KEY = db.Lookup(
    sa.select(apps, app_keys.c.id.label("key_id"), app_keys.c.last_used_at.label("key_used_at"))
    .join(app_keys, app_keys.c.app_id == apps.c.id).where(app_keys.c.token_hash == sa.bindparam("token_hash")))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
