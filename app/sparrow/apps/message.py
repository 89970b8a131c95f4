"""Messages: one question and its answer. Lists, feedback."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables.conversations import feedbacks, messages

# What a message without a parent names as its parent.
NO_PARENT = "00000000-0000-0000-0000-000000000000"


def get(app_id: str, message_id: str, end_user_id: str | None = None) -> Row:
    """Return a message of an app (and of a user, if given); raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(messages).where(messages.c.id == message_id)).first()
    if row is None or row.app_id != app_id or (end_user_id is not None and row.end_user_id != end_user_id):
        raise NotFound("Message Not Exists.")
    return row


def find(conversation_id: str, *, first_id: str | None = None, limit: int = 20) -> tuple[list[Row], bool]:
    """Return the page of messages before `first_id` (the newest page without it), oldest first, and whether
    there are earlier ones."""
    where = [messages.c.conversation_id == conversation_id]
    with db.read() as tx:
        if first_id:
            first = tx.execute(sa.select(messages.c.created_at, messages.c.id)
                               .where(*where, messages.c.id == first_id)).first()
            if first is None:
                raise NotFound("First Message Not Exists.")
            where.append(sa.or_(messages.c.created_at < first.created_at,
                                sa.and_(messages.c.created_at == first.created_at, messages.c.id < first.id)))
        rows = tx.execute(sa.select(messages).where(*where)
                          .order_by(messages.c.created_at.desc(), messages.c.id.desc()).limit(limit + 1)).all()
    return rows[:limit][::-1], len(rows) > limit


def rate(row: Row, rating: str | None, content: str | None = None, *, end_user_id: str | None = None,
         source: str = "user") -> None:
    """Store, change or (rating None) take back the feedback of a user or of the admin."""
    where = feedbacks.c.message_id == row.id, feedbacks.c.source == source
    moment = clock.now()
    with db.write() as tx:
        known = tx.execute(sa.select(feedbacks.c.id).where(*where)).first()
        if rating is None:
            if known is None:
                raise BadRequest("rating cannot be None when feedback not exists", params="rating")
            tx.execute(feedbacks.delete().where(*where))
        elif known is None:
            tx.execute(feedbacks.insert().values(
                id=ids.new_id(), app_id=row.app_id, conversation_id=row.conversation_id, message_id=row.id,
                end_user_id=end_user_id, source=source, rating=rating, content=content, created_at=moment,
                updated_at=moment))
        else:
            tx.execute(feedbacks.update().where(*where).values(rating=rating, content=content, updated_at=moment))


def ratings(message_ids: list[str], source: str = "user") -> dict[str, Row]:
    """Return the feedback on some messages by message id."""
    if not message_ids:
        return {}
    with db.read() as tx:
        rows = tx.execute(sa.select(feedbacks).where(feedbacks.c.message_id.in_(message_ids),
                                                     feedbacks.c.source == source)).all()
    return {row.message_id: row for row in rows}


def all_ratings(app_id: str, *, offset: int = 0, limit: int = 20) -> list[Row]:
    """Return a page of an app's feedback, newest first."""
    with db.read() as tx:
        return tx.execute(sa.select(feedbacks).where(feedbacks.c.app_id == app_id)
                          .order_by(feedbacks.c.created_at.desc()).offset(offset).limit(limit)).all()


def details(row: Row, name: str, default: Any = None) -> Any:
    """Return one part of what was recorded with a message: usage, retriever_resources, thoughts…"""
    return (row.details or {}).get(name, default)
