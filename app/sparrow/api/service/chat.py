"""Messages to chat, agent, chatflow and completion apps; stopping them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec
from flask import Response

from sparrow.api import sse
from sparrow.api.errors import envelope
from sparrow.api.service import service, shapes
from sparrow.api.service.who import app, end_user, source
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import live, run
from sparrow.apps.live import Live
from sparrow.apps.order import Order
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest

TAG = "messages"
_encode = msgspec.json.Encoder().encode


class ChatRequestPayload(msgspec.Struct):
    """A message to a conversation, new without `conversation_id`."""

    needs_user: ClassVar[bool] = True
    uuids: ClassVar[tuple[str, ...]] = ("conversation_id", "parent_message_id")

    inputs: dict[str, Any]
    query: str
    user: str = ""
    files: list[Any] | None = None
    response_mode: Literal["blocking", "streaming"] | None = None
    conversation_id: str | None = None
    parent_message_id: str | None = None
    auto_generate_name: bool = True
    workflow_id: str | None = None


class CompletionRequestPayload(msgspec.Struct):
    """What a text generator gets."""

    needs_user: ClassVar[bool] = True

    inputs: dict[str, Any]
    query: str = ""
    user: str = ""
    files: list[Any] | None = None
    response_mode: Literal["blocking", "streaming"] | None = None


class StopPayload(msgspec.Struct):
    """Who stops."""

    needs_user: ClassVar[bool] = True

    user: str = ""


@service.post("/chat-messages", tag=TAG, stream=True, reply=shapes.Reply)
def create_chat_message(body: ChatRequestPayload) -> Response:
    """Send a message; the answer streams or comes whole."""
    called = app()
    _needs_chat(called)
    streaming = body.response_mode == "streaming"
    return answer(run.chat(Order(
        called, end_user(body.user), body.inputs, query=body.query, files=body.files or [], source=source(),
        conversation_id=body.conversation_id, parent_message_id=body.parent_message_id,
        auto_name=body.auto_generate_name, version_id=body.workflow_id or None, streaming=streaming,
        base_url=base_url())), streaming, first_ping=called.mode in GRAPH_MODES)


@service.post("/completion-messages", tag=TAG, stream=True, reply=shapes.Reply)
def create_completion_message(body: CompletionRequestPayload) -> Response:
    """Have a text written; it streams or comes whole."""
    _needs_completion()
    streaming = body.response_mode == "streaming"
    return answer(run.completion(Order(app(), end_user(body.user), body.inputs, query=body.query,
                                       files=body.files or [], streaming=streaming, source=source(),
                                       base_url=base_url())), streaming)


@service.post("/chat-messages/<task_id>/stop", tag=TAG)
def stop_chat_message(task_id: str, body: StopPayload) -> Result:
    """Stop an answer."""
    _needs_chat(app())
    live.stop(task_id, app().id, end_user(body.user).id)
    return OK


@service.post("/completion-messages/<task_id>/stop", tag=TAG)
def stop_completion_message(task_id: str, body: StopPayload) -> Result:
    """Stop a text."""
    _needs_completion()
    live.stop(task_id, app().id, end_user(body.user).id)
    return OK


def answer(running: Live, streaming: bool, *, first_ping: bool = False) -> Response:
    """Return the reply of a run: its stream, or its result when it has ended."""
    if streaming:
        return sse.stream(running, first_ping=first_ping, public=source() == "web-app")
    running.wait()
    if running.result is not None:
        return Response(_encode(running.result), content_type="application/json; charset=utf-8")
    error = running.error or {"code": "internal_server_error", "message": "The run was lost.", "status": 500}
    return envelope(error["code"], error["message"], error["status"])


def _needs_chat(row) -> None:
    if row.mode not in run.CHAT_MODES:
        raise run.wrong_mode("not_chat_app")


def _needs_completion() -> None:
    if app().mode != "completion":
        raise BadRequest("App unavailable, please check your app configurations.", code="app_unavailable")
