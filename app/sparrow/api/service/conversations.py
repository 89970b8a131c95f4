"""A user's conversations and what was said in them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from sparrow.api.service import service, shapes
from sparrow.api.service.room import value_error
from sparrow.api.service.who import app, end_user
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import citations, conversation, followup, form, message, prepared, run
from sparrow.errors import BadRequest, NotFound
from sparrow.ids import is_uuid

Limit = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Conversation(msgspec.Struct):
    """A conversation."""

    id: str
    name: str
    inputs: dict[str, Any]
    status: str
    introduction: str
    created_at: int
    updated_at: int


class ConversationList(msgspec.Struct):
    """Conversations from a cursor on."""

    limit: int
    has_more: bool
    data: list[Conversation]


class ConversationListQuery(msgspec.Struct):
    """Which conversations."""

    uuids: ClassVar[tuple[str, ...]] = ("last_id",)

    user: str | None = None
    last_id: str | None = None
    limit: Limit = 20
    sort_by: Literal["created_at", "-created_at", "updated_at", "-updated_at"] = "-updated_at"


class ConversationRenamePayload(msgspec.Struct):
    """A name, or the wish that the model finds one."""

    name: str | None = None
    auto_generate: bool = False
    user: Any = None


class UserPayload(msgspec.Struct):
    """Who asks."""

    user: Any = None


class MessageListQuery(msgspec.Struct):
    """Which messages."""

    uuids: ClassVar[tuple[str, ...]] = ("conversation_id", "first_id")

    conversation_id: str
    user: str | None = None
    first_id: str | None = None
    limit: Limit = 20


class UserQuery(msgspec.Struct):
    """Who asks."""

    user: str | None = None


class MessageFeedbackPayload(msgspec.Struct):
    """What a user thinks of an answer; null takes it back."""

    needs_user: ClassVar[bool] = True

    rating: Literal["like", "dislike"] | None = None
    content: str | None = None
    user: str = ""


class FeedbackQuery(msgspec.Struct):
    """Which page of feedback."""

    page: Annotated[int, msgspec.Meta(ge=1, le=99_999)] = 1
    limit: Annotated[int, msgspec.Meta(ge=1, le=101)] = 20


class VariableQuery(msgspec.Struct):
    """Which variables."""

    uuids: ClassVar[tuple[str, ...]] = ("last_id",)

    user: str | None = None
    last_id: str | None = None
    limit: Limit = 20
    variable_name: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class VariablePayload(msgspec.Struct):
    """A new value."""

    value: Any
    user: Any = None


@service.get("/conversations")
def list_conversations(query: ConversationListQuery) -> ConversationList:
    """List a user's conversations."""
    _needs_chat()
    user = end_user(query.user, required=False)
    rows, more = conversation.find(app().id, user.id, last_id=query.last_id, limit=query.limit, sort_by=query.sort_by)
    return ConversationList(query.limit, more, [shown(row) for row in rows])


@service.delete("/conversations/<conversation_id>", status=204)
def delete_conversation(conversation_id: str, body: UserPayload) -> None:
    """Delete a conversation."""
    conversation.delete(_own(conversation_id, body.user))


@service.post("/conversations/<conversation_id>/name")
def rename_conversation(conversation_id: str, body: ConversationRenamePayload) -> Conversation:
    """Name a conversation, or have the model name it."""
    _needs_chat()
    if not body.auto_generate and not (body.name or "").strip():
        given = {name: value for name, value in (("name", body.name), ("user", body.user)) if value is not None}
        raise value_error(ConversationRenamePayload, "name is required when auto_generate is false", given)
    row = _own(conversation_id, body.user)
    if body.auto_generate:
        first = conversation.turns(row.id, 1_000_000)[:1]
        name = followup.name(row.id, first[0].query) if first else row.name
        return shown(conversation.rename(row, name))
    return shown(conversation.rename(row, body.name or ""))


@service.get("/conversations/<conversation_id>/variables")
def list_variables(conversation_id: str, query: VariableQuery) -> shapes.Variables:
    """List the variables of a conversation."""
    row = _own(conversation_id, query.user)
    found = [variable_shown(variable, row) for variable in row.variables or []
             if query.variable_name in (None, variable["name"])]
    if query.last_id:
        at = [index for index, variable in enumerate(found) if variable["id"] == query.last_id]
        if not at:
            raise NotFound("Conversation Variable Not Exists.")
        found = found[at[0] + 1:]
    return {"limit": query.limit, "has_more": len(found) > query.limit, "data": found[:query.limit]}


@service.put("/conversations/<conversation_id>/variables/<variable_id>")
def set_variable(conversation_id: str, variable_id: str, body: VariablePayload) -> shapes.Variable:
    """Set a variable of a conversation."""
    row = _own(conversation_id, body.user)
    return variable_shown(conversation.set_variable(row, variable_id, body.value), row)


@service.get("/messages")
def list_messages(query: MessageListQuery) -> shapes.Messages:
    """List the messages of a conversation, the newest page first, oldest to newest within it."""
    _needs_chat()
    row = _own(query.conversation_id, query.user)
    rows, more = message.find(row.id, first_id=query.first_id, limit=query.limit)
    rated = message.ratings([item.id for item in rows])
    asked = form.of_runs([item.run_id for item in rows if item.run_id])
    return {"limit": query.limit, "has_more": more,
            "data": [message_shown(item, rated.get(item.id), asked.get(item.run_id)) for item in rows]}


@service.post("/messages/<message_id>/feedbacks", tag="messages")
def rate_message(message_id: str, body: MessageFeedbackPayload) -> Result:
    """Say what a user thinks of an answer."""
    if not is_uuid(message_id):
        raise NotFound("Message Not Exists.")
    user = end_user(body.user)
    message.rate(message.get(app().id, message_id, user.id), body.rating, body.content, end_user_id=user.id)
    return OK


@service.get("/messages/<message_id>/suggested", tag="messages")
def suggest(message_id: str, query: UserQuery) -> shapes.Questions:
    """List questions the user may ask next."""
    _needs_chat()
    user = end_user(query.user)
    row = message.get(app().id, message_id, user.id) if is_uuid(message_id) else None
    if row is None:
        raise NotFound("Message Not Exists.")
    feature = prepared.published(app()).feature("suggested_questions_after_answer")
    if not feature:
        raise BadRequest("Suggested Questions Is Disabled.", code="bad_request")
    return {"result": "success", "data": followup.questions(row.conversation_id, feature, user.session_id)}


@service.get("/app/feedbacks", tag="messages")
def list_feedback(query: FeedbackQuery) -> shapes.Feedbacks:
    """List the feedback on an app's answers."""
    rows = message.all_ratings(app().id, offset=(query.page - 1) * query.limit, limit=query.limit)
    return {"data": [{
        "id": row.id, "app_id": row.app_id, "conversation_id": row.conversation_id, "message_id": row.message_id,
        "rating": row.rating, "content": row.content, "from_source": row.source,
        "from_end_user_id": row.end_user_id, "from_account_id": None, "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at)} for row in rows]}


def shown(row) -> Conversation:
    """Return a conversation as clients see it."""
    return Conversation(row.id, row.name, row.inputs, row.status, row.introduction, int(row.created_at),
                        int(row.updated_at))


def message_shown(row, rating=None, forms=None) -> dict[str, Any]:
    """Return a message as clients see it, with the forms its run asked to fill."""
    usage = message.details(row, "usage", {})
    return {
        "id": row.id, "conversation_id": row.conversation_id, "parent_message_id": message.NO_PARENT,
        "inputs": row.inputs, "query": row.query, "answer": row.answer,
        "feedback": {"rating": rating.rating} if rating is not None else None,
        "retriever_resources": citations.fresh(message.details(row, "retriever_resources", []), base_url()),
        "created_at": int(row.created_at),
        "agent_thoughts": message.details(row, "thoughts", []),
        "message_files": [_file(file, row) for file in row.files or []],
        "status": "error" if row.status == "error" else "paused" if row.status == "paused" else "normal",
        "error": row.error, "extra_contents": forms or [], "message_tokens": usage.get("prompt_tokens") or 0,
        "answer_tokens": usage.get("completion_tokens") or 0, "total_tokens": row.tokens,
        "provider_response_latency": round(row.latency, 3), "total_price": usage.get("total_price"),
        "currency": usage.get("currency")}


def variable_shown(variable: dict[str, Any], row) -> dict[str, Any]:
    """Return a conversation variable as clients see it; its value is text."""
    value = variable.get("value")
    return {"id": variable["id"], "name": variable["name"], "value_type": variable["value_type"],
            "value": value if isinstance(value, str) else str(value), "description": variable.get("description") or "",
            "created_at": int(row.created_at), "updated_at": int(variable.get("updated_at") or row.updated_at)}


def iso(moment: float) -> str:
    """Return a time as ISO 8601 in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _file(file: dict[str, Any], row) -> dict[str, Any]:
    return {"id": file.get("id") or file.get("related_id"), "filename": file.get("filename"), "type": file.get("type"),
            "url": file.get("url"), "mime_type": file.get("mime_type"), "size": file.get("size"),
            "transfer_method": file.get("transfer_method"), "belongs_to": "user",
            "upload_file_id": file.get("related_id")}


def _needs_chat() -> None:
    if app().mode not in run.CHAT_MODES:
        raise run.wrong_mode("not_chat_app")


def _own(conversation_id: str, user: Any):
    _needs_chat()
    found = end_user(user, required=False)
    if not is_uuid(conversation_id):
        raise NotFound("Conversation Not Exists.")
    return conversation.get(app().id, conversation_id, found.id)
