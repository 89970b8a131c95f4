"""What visitors may do: the service API's routes for one app, its look, and a pass."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import msgspec
from flask import Response, request

from sparrow.api.service import about, audio, chat, conversations, files, forms, shapes, workflows
from sparrow.api.service.who import app, end_user, source
from sparrow.api.site import site
from sparrow.api.site.visitor import open_app
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import attachment, conversation, message, more, passport
from sparrow.errors import NotFound
from sparrow.ids import is_uuid

TAG = "site"


class Pass(TypedDict):
    """A visitor's pass, to be sent as Bearer token."""

    access_token: str


class SiteInfo(TypedDict):
    """An app as its page shows it."""

    app_id: str
    mode: str
    enable_site: bool
    published: bool
    site: shapes.Site


class ConversationQuery(conversations.ConversationListQuery):
    """Which conversations; `pinned` leaves out the others."""

    pinned: bool | None = None


class PassQuery(msgspec.Struct):
    """Which app's page."""

    code: str = ""


class MoreQuery(msgspec.Struct):
    """How another text comes."""

    response_mode: Literal["blocking", "streaming"] = "blocking"


@site.get("/passport", public=True, tag=TAG)
def get_passport(query: PassQuery) -> Pass:
    """Get a pass for the app that the header X-App-Code, or the query, names."""
    return {"access_token": passport.issue(open_app(request.headers.get("X-App-Code") or query.code).id)}


@site.get("/site", tag=TAG)
def get_site() -> SiteInfo:
    """Tell what the page shows."""
    row = app()
    return {"app_id": row.id, "mode": row.mode, "enable_site": row.enable_site,
            "published": row.published_id is not None, "site": about.site()}


@site.get("/messages/<message_id>/more-like-this", tag=TAG, stream=True, reply=shapes.Reply)
def more_like_this(message_id: str, query: MoreQuery) -> Response:
    """Have another text written from the same inputs."""
    if not is_uuid(message_id):
        raise NotFound("Message Not Exists.")
    user, streaming = end_user(None), query.response_mode == "streaming"
    row = message.get(app().id, message_id, user.id)
    return chat.answer(more.like(app(), user, row, source=source(), streaming=streaming,
                                 base_url=base_url()), streaming)


@site.get("/conversations", tag=TAG)
def list_conversations(query: ConversationQuery) -> conversations.ConversationList:
    """List the visitor's conversations."""
    rows, more_follow = conversation.find(app().id, end_user(None).id, last_id=query.last_id, limit=query.limit,
                                          sort_by=query.sort_by, pinned=query.pinned)
    return conversations.ConversationList(query.limit, more_follow, [conversations.shown(row) for row in rows])


@site.patch("/conversations/<conversation_id>/pin", tag=TAG)
def pin(conversation_id: str) -> Result:
    """Keep a conversation at the top."""
    return _pin(conversation_id, True)


@site.patch("/conversations/<conversation_id>/unpin", tag=TAG)
def unpin(conversation_id: str) -> Result:
    """Let a conversation go back into the list."""
    return _pin(conversation_id, False)


def _pin(conversation_id: str, pinned: bool) -> Result:
    if not is_uuid(conversation_id):
        raise NotFound("Conversation Not Exists.")
    conversation.pin(conversation.get(app().id, conversation_id, end_user(None).id), pinned)
    return OK


# The rest is the service API's own, under the names that web pages use.
_run: dict[str, Any] = {"tag": TAG, "stream": True}
@site.post("/files/upload", status=201, files=("file",), tag=TAG)
def upload(form: files.UploadForm) -> shapes.Upload:
    """Upload a file to send with a message or run, so much in a day."""
    attachment.check_visitor(app().id, end_user(None).session_id)
    return files.upload(form)


site.get("/parameters", tag=TAG)(about.parameters)
site.get("/meta", tag=TAG)(about.meta)
site.post("/chat-messages", **_run, reply=shapes.Reply)(chat.create_chat_message)
site.post("/chat-messages/<task_id>/stop", tag=TAG)(chat.stop_chat_message)
site.post("/completion-messages", **_run, reply=shapes.Reply)(chat.create_completion_message)
site.post("/completion-messages/<task_id>/stop", tag=TAG)(chat.stop_completion_message)
site.post("/workflows/run", **_run, reply=shapes.RunReply)(workflows.run_workflow)
site.post("/workflows/tasks/<task_id>/stop", tag=TAG)(workflows.stop_workflow)
site.get("/workflow/<run_id>/events", **_run)(workflows.follow)
site.delete("/conversations/<conversation_id>", status=204, tag=TAG)(conversations.delete_conversation)
site.post("/conversations/<conversation_id>/name", tag=TAG)(conversations.rename_conversation)
site.get("/messages", tag=TAG)(conversations.list_messages)
site.post("/messages/<message_id>/feedbacks", tag=TAG)(conversations.rate_message)
site.get("/messages/<message_id>/suggested-questions", tag=TAG)(conversations.suggest)
site.post("/audio-to-text", files=("file",), tag=TAG)(audio.audio_to_text)
site.post("/text-to-audio", tag=TAG)(audio.text_to_audio)
site.get("/form/human_input/<token>", tag=TAG)(forms.get_form)
site.post("/form/human_input/<token>", tag=TAG)(forms.submit_form)
