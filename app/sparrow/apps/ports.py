"""What a run of a graph may use, made for one run: the engine's ports over the other rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.apps import conversation, filebox, surroundings
from sparrow.apps.order import Turn
from sparrow.engine import ports as ep
from sparrow.engine.files import File
from sparrow.storage import db
from sparrow.storage.tables.conversations import conversations
from sparrow.storage.tables.runs import forms

_ALL_TURNS = 500


class Memory:
    """The conversation before the message that is being answered."""

    def __init__(self, turn: Turn):
        self._turn = turn

    def turns(self, limit: int | None) -> Sequence[ep.Turn]:
        """Return the last finished turns, oldest first."""
        if self._turn.conversation is None:
            return []
        rows = conversation.turns(self._turn.conversation.id, limit or _ALL_TURNS, self._turn.message_id)
        return [ep.Turn(row.query, row.answer, [File.from_dict(file) for file in row.files or []]) for row in rows]


class Variables:
    """Conversation variables: their values when the run began, and what it changed."""

    def __init__(self, turn: Turn):
        self._conversation_id = turn.conversation_id
        stored = {variable["name"]: variable for variable in (turn.conversation.variables or []
                                                              if turn.conversation is not None else [])}
        self._all = []
        for declared in turn.definition.content.get("conversation_variables") or []:
            known = stored.get(declared["name"])
            same = known is not None and known["value_type"] == declared["value_type"]
            self._all.append({"id": (known or declared).get("id") or ids.new_id(), "name": declared["name"],
                              "value_type": declared["value_type"], "description": declared.get("description") or "",
                              "value": known["value"] if same else declared["value"]})
        self._changed: dict[str, Any] = {}

    def values(self) -> dict[str, Any]:
        """Return values by name."""
        return {variable["name"]: variable["value"] for variable in self._all}

    def types(self) -> dict[str, str]:
        """Return declared types by name."""
        return {variable["name"]: variable["value_type"] for variable in self._all}

    def save(self, name: str, value: Any) -> None:
        """Keep a new value at once: others see it while the run goes on, and it survives a run that dies."""
        self._changed[name] = value
        if self._conversation_id:
            with db.write(soon=True) as tx:
                self.write(tx, self._conversation_id)

    def write(self, tx, conversation_id: str) -> None:
        """Store the variables. A run beside this one keeps what only it changed."""
        if not self._all:
            return
        row = tx.execute(sa.select(conversations.c.variables).where(conversations.c.id == conversation_id)).first()
        others = {variable["name"]: variable for variable in (row.variables if row else None) or []}
        moment = clock.now()
        kept = []
        for variable in self._all:
            if variable["name"] in self._changed:
                variable = {**variable, "value": self._changed[variable["name"]], "updated_at": moment}
            elif variable["name"] in others:
                variable = others[variable["name"]]
            kept.append(variable)
        tx.execute(conversations.update().where(conversations.c.id == conversation_id).values(variables=kept))


class Forms:
    """Forms of human-input nodes."""

    def __init__(self, turn: Turn):
        self._turn = turn

    def create(self, request: ep.FormRequest) -> ep.Form:
        """Store a form that waits to be filled."""
        form_id, token = ids.new_id(), ids.token("", 22)
        definition = {"form_content": request.content, "inputs": request.inputs, "user_actions": request.actions,
                      "resolved_default_values": request.resolved_default_values, "node_title": request.node_title,
                      "base_url": self._turn.order.base_url}  # of the client that began the run, when it goes on
        with db.write() as tx:
            tx.execute(forms.insert().values(
                id=form_id, app_id=self._turn.order.app.id, run_id=self._turn.run_id, node_id=request.node_id,
                token=token, definition=definition, status="waiting", expires_at=int(request.expires_at),
                created_at=clock.now()))
        return ep.Form(form_id, token)


def of(turn: Turn, variables: Variables) -> ep.Ports:
    """Return the ports of one run."""
    order = turn.order
    files = filebox.FileBox(order.app.id, order.user, order.base_url)
    return ep.Ports(
        models=surroundings.hub(), code=surroundings.sandbox(), http=surroundings.http(), files=files,
        knowledge=surroundings.knowledge(order.base_url), tools=surroundings.tools(files), memory=Memory(turn),
        conversation=variables, forms=Forms(turn))
