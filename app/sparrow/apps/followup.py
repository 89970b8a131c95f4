"""What follows an answer: a title for a new conversation, questions to ask next."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from sparrow import clock
from sparrow.apps import conversation, live, surroundings, voice
from sparrow.apps.order import Turn
from sparrow.messages import Message, ModelError, ModelRef
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations

log = logging.getLogger(__name__)

_FORM = "<Intention + Subject>"
_TITLE = f"""Give this conversation a title of at most twelve words, in the language of the user's message.
Reply with nothing but JSON of this form: {{"title": "{_FORM}"}}

The user's message:
"""
_QUESTIONS = """Read the conversation and predict the three questions that the user is most likely to ask next.
Keep each below 20 characters and write in the language of the assistant's last answer.
Reply with nothing but a JSON array of this form:
["question1","question2","question3"]
"""


def after(turn: Turn) -> None:
    """Read the answer aloud if the app does; give a new conversation a title. The answer is complete already."""
    voice.after(turn)
    title(turn)


def title(turn: Turn) -> None:
    """Give a new conversation a title by the model, if the client wants one.

    A refused message keeps its first words as the title: no model may see it.
    """
    new = turn.conversation_id and turn.conversation is None
    if new and turn.order.auto_name and turn.query and not turn.refused:
        live.later(_title, turn)


def _title(turn: Turn) -> None:
    try:
        name(turn.conversation_id, turn.query, turn.order.user.session_id)
    except Exception as error:  # a title is never worth a failed run
        log.warning("no title for conversation %s: %s", turn.conversation_id, error)


def name(conversation_id: str, query: str, user: str | None = None) -> str:
    """Have the model name a conversation; keep and return the name (its first words if the model fails)."""
    title = conversation.default_name(query)
    try:
        found = _json(_ask([Message("user", _TITLE + query[:2000])], user, max_tokens=500), r"\{[^{}]*\}")
        given = found.get("title") if isinstance(found, dict) else None
        if isinstance(given, str) and given.strip() not in ("", _FORM):  # small models repeat the form
            title = given.strip()[:75]
    except ModelError as error:
        log.info("no title by the model: %s", error)
    with db.write() as tx:
        tx.execute(conversations.update().where(conversations.c.id == conversation_id)
                   .values(name=title, updated_at=clock.now()))
    return title


def questions(conversation_id: str, feature: dict[str, Any], user: str | None = None) -> list[str]:
    """Return up to three questions the user may ask next; [] if the model gives none."""
    turns = conversation.turns(conversation_id, 3)
    talk = "\n".join(f"Human: {turn.query}\nAssistant: {turn.answer}" for turn in turns)
    wanted = feature.get("prompt") if isinstance(feature.get("prompt"), str) and feature.get("prompt") else _QUESTIONS
    named = feature.get("model") if isinstance(feature.get("model"), dict) else None
    ref = ModelRef(named.get("provider") or "", named["name"]) if named and named.get("name") else None
    try:
        found = _json(_ask([Message("user", f"{talk}\n\n{wanted}")], user, ref=ref, max_tokens=256), r"\[[^\[\]]*\]")
    except ModelError as error:
        log.info("no questions by the model: %s", error)
        return []
    return [str(item) for item in found][:3] if isinstance(found, list) else []


def _ask(messages: list[Message], user: str | None, *, ref: ModelRef | None = None, max_tokens: int) -> str:
    hub = surroundings.hub()
    ref = ref or hub.default("llm")
    if ref is None:
        return ""
    return "".join(chunk.text for chunk in hub.chat(
        ref, messages, parameters={"temperature": 0, "max_tokens": max_tokens}, stream=False, user=user))


def _json(text: str, form: str) -> Any:
    """Return the last piece of JSON of a form in a text."""
    for found in reversed(re.findall(form, text)):
        try:
            return json.loads(found)
        except ValueError:
            continue
    return None
