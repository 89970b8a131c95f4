"""End users: whoever a client says is talking. They see only what is theirs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables.conversations import end_users

DEFAULT_SESSION = "DEFAULT-USER"
_KNOWN = 4096


@dataclass(slots=True, frozen=True)
class EndUser:
    """A user of one app: `session_id` is the caller's name for them."""

    id: str
    app_id: str
    type: str
    session_id: str


_cache: OrderedDict[tuple[str, str, str], EndUser] = OrderedDict()
_lock = Lock()


def of(app_id: str, session_id: str, kind: str = "service-api") -> EndUser:
    """Return the end user of an app by the caller's name, made at the first call."""
    if len(session_id) > 255:
        raise BadRequest("user: must be at most 255 characters", params="user")
    key = app_id, kind, session_id
    with _lock:
        known = _cache.get(key)
        if known is not None:
            _cache.move_to_end(key)
            return known
    found = _find(key) or _create(key)
    with _lock:
        _cache[key] = found
        while len(_cache) > _KNOWN:
            _cache.popitem(last=False)
    return found


def get(app_id: str, end_user_id: str) -> Row:
    """Return the row of an app's end user; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(end_users).where(end_users.c.id == end_user_id)).first()
    if row is None or row.app_id != app_id:
        raise NotFound("End user not found.", code="end_user_not_found")
    return row


def names(end_user_ids: set[str]) -> dict[str, EndUser]:
    """Return end users by id."""
    if not end_user_ids:
        return {}
    with db.read() as tx:
        rows = tx.execute(sa.select(end_users).where(end_users.c.id.in_(end_user_ids))).all()
    return {row.id: EndUser(row.id, row.app_id, row.type, row.session_id) for row in rows}


def forget() -> None:
    """Drop what is remembered of end users (after an app was deleted, and in tests)."""
    with _lock:
        _cache.clear()


def _find(key: tuple[str, str, str]) -> EndUser | None:
    with db.read() as tx:
        row = tx.execute(_BY_SESSION, dict(zip(("app_id", "type", "session_id"), key, strict=True))).first()
    return EndUser(row.id, *key) if row else None


_BY_SESSION = sa.select(end_users.c.id).where(
    end_users.c.app_id == sa.bindparam("app_id"), end_users.c.type == sa.bindparam("type"),
    end_users.c.session_id == sa.bindparam("session_id"))


def _create(key: tuple[str, str, str]) -> EndUser:
    app_id, kind, session_id = key
    moment = clock.now()
    with db.write() as tx:
        tx.execute(db.insert(end_users).values(
            id=ids.new_id(), app_id=app_id, type=kind, session_id=session_id, created_at=moment, updated_at=moment)
            .on_conflict_do_nothing())
    return _find(key)
