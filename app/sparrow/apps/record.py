"""What a message leaves in the database: a row when it begins, the answer before anybody is told it is complete."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sparrow import clock
from sparrow.apps import conversation, live, opener
from sparrow.apps.order import Turn
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations, messages

_INSERT_MESSAGE = db.Prepared(messages.insert())
_INSERT_CONVERSATION = db.Prepared(conversations.insert())
_FINISH = db.Prepared(messages.update().where(messages.c.id == sa.bindparam("_id")).values(
    {name: sa.bindparam(name) for name in ("answer", "status", "error", "details", "prompt", "tokens", "latency",
                                           "updated_at")}))
_TOUCH = db.Prepared(conversations.update().where(conversations.c.id == sa.bindparam("_id")).values(
    message_count=conversations.c.message_count + sa.literal_column("1"), updated_at=sa.bindparam("updated_at")))


def begin(turn: Turn, tx) -> None:
    """Store a message that is about to be answered, with its conversation if that is new."""
    order, moment = turn.order, turn.started
    if turn.conversation is None and turn.conversation_id:
        _INSERT_CONVERSATION(tx, {
            "id": turn.conversation_id, "app_id": order.app.id, "end_user_id": order.user.id,
            "created_from": order.source, "name": conversation.default_name(order.query), "inputs": shown(turn.inputs),
            "introduction": opener.render(turn.definition, turn.inputs), "status": "normal", "message_count": 0,
            "variables": None, "pinned": False, "created_at": moment, "updated_at": moment})
    _INSERT_MESSAGE(tx, {
        "id": turn.message_id, "app_id": order.app.id, "conversation_id": turn.conversation_id,
        "end_user_id": order.user.id, "version_id": turn.definition.version_id, "run_id": turn.run_id,
        "created_from": order.source, "query": order.query, "inputs": shown(turn.inputs),
        "files": [file.to_dict() for file in turn.files] or None, "answer": "", "status": "running",
        "error": None, "details": None, "prompt": None, "owner": live.owner(), "tokens": 0, "latency": 0.0,
        "created_at": moment, "updated_at": moment})


def end(turn: Turn, tx, *, answer: str, status: str = "normal", error: str | None = None,
        usage: dict[str, Any] | None = None, prompt: Any = None, **details: Any) -> None:
    """Store a message's answer and what it took."""
    moment = clock.now()
    kept = {**details, "usage": usage, "retriever_resources": turn.resources, "annotation_reply": turn.annotation,
            "knowledge_away": turn.away}
    _FINISH(tx, {
        "_id": turn.message_id, "answer": answer, "status": status, "error": error,
        "details": {name: value for name, value in kept.items() if value}, "prompt": prompt,
        "tokens": (usage or {}).get("total_tokens") or 0, "latency": moment - turn.started, "updated_at": moment})
    if turn.conversation_id and status != "paused":  # a message counts once, when it has ended
        _TOUCH(tx, {"_id": turn.conversation_id, "updated_at": moment})


def save(turn: Turn, **fields: Any) -> None:
    """`end` in a transaction of its own."""
    with db.write() as tx:
        end(turn, tx, **fields)


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """Return inputs as JSON: files as dictionaries."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, list) else value
