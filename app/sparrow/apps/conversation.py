"""Conversations: lists for a user, names, variables, the turns that a model is reminded of."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock
from sparrow.dsl import variables
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations, feedbacks, messages

SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")


def get(app_id: str, conversation_id: str, end_user_id: str | None = None) -> Row:
    """Return a conversation of an app (and of a user, if given); raise NotFound."""
    with db.read() as tx:
        row = tx.execute(_BY_ID, {"conversation_id": conversation_id}).first()
    if row is None or row.app_id != app_id or (end_user_id is not None and row.end_user_id != end_user_id):
        raise NotFound("Conversation Not Exists.")
    return row


_BY_ID = sa.select(conversations).where(conversations.c.id == sa.bindparam("conversation_id"))


def find(app_id: str, end_user_id: str, *, last_id: str | None = None, limit: int = 20,
         sort_by: str = "-updated_at", pinned: bool | None = None) -> tuple[list[Row], bool]:
    """Return a user's conversations after `last_id` in the order asked for, and whether there are more."""
    where = [conversations.c.app_id == app_id, conversations.c.end_user_id == end_user_id]
    if pinned is not None:
        where.append(conversations.c.pinned == pinned)
    column = conversations.c[sort_by.lstrip("-")]
    down = sort_by.startswith("-")
    if last_id:
        try:
            last = get(app_id, last_id, end_user_id)
        except NotFound:
            raise NotFound("Last Conversation Not Exists.") from None
        value = getattr(last, column.name)
        beyond = column < value if down else column > value
        where.append(sa.or_(beyond, sa.and_(column == value, conversations.c.id < last.id if down
                                            else conversations.c.id > last.id)))
    order = (column.desc(), conversations.c.id.desc()) if down else (column, conversations.c.id)
    with db.read() as tx:
        rows = tx.execute(sa.select(conversations).where(*where).order_by(*order).limit(limit + 1)).all()
    return rows[:limit], len(rows) > limit


def rename(row: Row, name: str) -> Row:
    """Give a conversation a name; return the row."""
    return _change(row, name=name[:255])


def pin(row: Row, pinned: bool) -> None:
    """Keep a conversation at the top of the user's list, or not."""
    with db.write() as tx:
        tx.execute(conversations.update().where(conversations.c.id == row.id).values(pinned=pinned))


def delete(row: Row) -> None:
    """Delete a conversation with its messages and feedback."""
    with db.write() as tx:
        tx.execute(feedbacks.delete().where(feedbacks.c.conversation_id == row.id))
        tx.execute(messages.delete().where(messages.c.conversation_id == row.id))
        tx.execute(conversations.delete().where(conversations.c.id == row.id))


def turns(conversation_id: str, limit: int, before: str | None = None) -> list[Row]:
    """Return the last finished turns (query, files, answer, inputs), oldest first; `before` leaves out one message.

    Turns are ordered by their ids, which rise with time within one millisecond too.
    """
    where = [messages.c.conversation_id == conversation_id, messages.c.status.in_(("normal", "stopped", "error"))]
    if before:
        where.append(messages.c.id < before)
    with db.read() as tx:
        rows = tx.execute(sa.select(messages.c.id, messages.c.query, messages.c.answer, messages.c.files,
                                    messages.c.status, messages.c.inputs)
                          .where(*where).order_by(messages.c.created_at.desc(), messages.c.id.desc())
                          .limit(limit)).all()
    return rows[::-1]


def set_variable(row: Row, variable_id: str, value: Any) -> dict[str, Any]:
    """Set one conversation variable; return it. The value must fit the variable's type."""
    with db.write() as tx:
        stored = tx.execute(_BY_ID, {"conversation_id": row.id}).first().variables or []
        for variable in stored:
            if variable["id"] == variable_id:
                break
        else:
            raise NotFound("Conversation Variable Not Exists.")
        if not variables.fits(variable["value_type"], value):
            raise BadRequest(f"Type mismatch: variable '{variable['name']}' expects {variable['value_type']}, but got "
                             f"{type(value).__name__} type", code="bad_request")
        variable.update(value=value, updated_at=clock.now())
        tx.execute(conversations.update().where(conversations.c.id == row.id).values(variables=stored))
    return variable


def default_name(query: str) -> str:
    """Return the name of a conversation that has no title: the beginning of its first query."""
    text = " ".join(query.split("\n")).strip()
    return text[:20] + "…" if len(text) > 20 else text


def _change(row: Row, **values: Any) -> Row:
    with db.write() as tx:
        tx.execute(conversations.update().where(conversations.c.id == row.id)
                   .values(**values, updated_at=clock.now()))
        return tx.execute(_BY_ID, {"conversation_id": row.id}).first()
