"""Running an app: check the request, store that it began, work on it in a thread, hand back the live run.

Everything that can be refused is refused here, before anything is stored, with the status a client can act on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparrow import ids
from sparrow.apps import attachment, conversation, inputs, live, prepared, record
from sparrow.apps.live import Live
from sparrow.apps.order import Order, Turn
from sparrow.apps.prepared import Definition
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest
from sparrow.ids import is_uuid
from sparrow.storage import db

CHAT_MODES = ("chat", "agent-chat", "advanced-chat")


def chat(order: Order) -> Live:
    """Answer a message of a chat, agent or chatflow app."""
    if order.app.mode not in CHAT_MODES:
        raise wrong_mode("not_chat_app")
    if order.app.mode == "agent-chat" and not order.streaming:
        raise BadRequest("Agent Chat App does not support blocking mode")
    definition = _definition(order)
    order.query = order.query.replace("\x00", "")
    if not order.query.strip():
        raise BadRequest("query is required")
    known = None
    if order.conversation_id:
        known = conversation.get(order.app.id, order.conversation_id, order.user.id)
    turn = _turn(order, definition)
    turn.conversation, turn.conversation_id = known, known.id if known else ids.new_id()
    return _start(turn, _pipeline(order.app.mode))


def completion(order: Order) -> Live:
    """Write the text of a completion app."""
    if order.app.mode != "completion":
        raise BadRequest("App unavailable, please check your app configurations.", code="app_unavailable")
    turn = _turn(order, _definition(order))
    return _start(turn, _pipeline("completion"))


def workflow(order: Order) -> Live:
    """Run a workflow app."""
    if order.app.mode != "workflow":
        raise wrong_mode("not_workflow_app")
    from sparrow.apps import flow

    definition = _definition(order)
    turn = _turn(order, definition)
    return flow.start(turn)


def wrong_mode(code: str) -> BadRequest:
    """Return the error of a route that the app's mode does not have."""
    return BadRequest("Please check if your app mode matches the right API route.", code=code)


def _definition(order: Order) -> Definition:
    if order.debug:
        return prepared.editing(order.app, order.content)
    if order.version_id:
        return prepared.of_version(order.app, order.version_id)
    return prepared.published(order.app)


def _turn(order: Order, definition: Definition) -> Turn:
    if order.trigger:
        values = order.inputs
    else:
        values = attachment.of_inputs(order, definition, inputs.check(definition.fields, order.inputs))
    files = attachment.of_message(order, definition)
    run = Live(order.app.id, order.user.id)
    return Turn(order, definition, values, files, run, started=run.started)


def _start(turn: Turn, work: Callable[[Turn], None]) -> Live:
    if turn.definition.mode in GRAPH_MODES:
        from sparrow.apps import flow

        return flow.start(turn)
    turn.seal()
    live.check_room()
    with db.write(soon=True) as tx:
        record.begin(turn, tx)
    return live.start(turn.live, lambda _: work(turn), here=not turn.order.streaming)


def _pipeline(mode: str) -> Callable[[Turn], None]:
    if mode == "agent-chat":
        from sparrow.apps import agent

        return agent.answer
    from sparrow.apps import basic

    return basic.answer


def version_of(value: Any) -> str | None:
    """Return a version id as a client gives it: absent and empty mean the live version."""
    return value or None


def conversation_of(value: Any) -> str | None:
    """Return a conversation id as a client gives it: absent and empty mean a new one; raise BadRequest."""
    if not value:
        return None
    if not is_uuid(value):
        raise BadRequest("conversation_id must be a valid UUID", params="conversation_id")
    return value
