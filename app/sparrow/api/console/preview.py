"""What the preview of an app needs beside its answers: speech, questions to ask next, forms of a run that waits."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response

from sparrow.api import sse
from sparrow.api.console import console
from sparrow.api.service import audio, shapes
from sparrow.api.service.chat import answer
from sparrow.api.service.workflows import ended
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import app as apps
from sparrow.apps import followup, form, live, log, message, more, prepared, user
from sparrow.errors import BadRequest, NotFound

TAG = "apps"


class Speak(msgspec.Struct):
    """Which answer is to be said."""

    message_id: str


class FilledForm(msgspec.Struct):
    """What was filled in, and the button."""

    inputs: dict[str, Any]
    action: str


@console.post("/apps/<app_id>/audio-to-text", files=("file",), tag=TAG)
def hear(app_id: str) -> shapes.Text:
    """Write down what is said in a recording."""
    return audio.heard(prepared.editing(apps.get(app_id), None))


@console.post("/apps/<app_id>/text-to-audio", tag=TAG)
def say(app_id: str, body: Speak) -> Response:
    """Say an answer."""
    definition = prepared.editing(apps.get(app_id), None)
    return audio.said(definition, message.get(app_id, body.message_id).answer)


@console.get("/apps/<app_id>/messages/<message_id>/suggested-questions", tag=TAG)
def suggest(app_id: str, message_id: str) -> shapes.Questions:
    """List questions that may be asked next."""
    feature = prepared.editing(apps.get(app_id), None).feature("suggested_questions_after_answer")
    if not feature:
        raise BadRequest("Suggested questions are switched off.", code="bad_request")
    row = message.get(app_id, message_id)
    return {"result": "success", "data": followup.questions(row.conversation_id, feature)}


@console.get("/apps/<app_id>/messages/<message_id>/more-like-this", stream=True, tag=TAG)
def more_like_this(app_id: str, message_id: str) -> Response:
    """Have another text written from the same inputs."""
    row = apps.get(app_id)
    return answer(more.like(row, user.of(app_id, "console", "console"), message.get(app_id, message_id),
                            source="console", streaming=True, base_url=base_url()), True)


@console.post("/apps/<app_id>/forms/<token>", tag=TAG)
def fill(app_id: str, token: str, body: FilledForm) -> Result:
    """Fill a form; its run goes on."""
    if form.get(token).app_id != app_id:
        raise NotFound("Form not found")
    form.submit(token, body.inputs, body.action)
    return OK


@console.get("/apps/<app_id>/workflow-runs/<run_id>/events", stream=True, tag=TAG)
def follow(app_id: str, run_id: str) -> Response:
    """Follow a run again: its events from the beginning, or its end if it is over."""
    row = log.run_of(app_id, run_id)
    running = live.by_run(run_id)
    if running is not None:
        return sse.stream(running)
    return ended(row, user.names({row.end_user_id})[row.end_user_id])
