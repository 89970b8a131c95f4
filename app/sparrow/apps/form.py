"""Forms of human-input nodes: shown by their token, filled once, and then the run goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from sparrow import clock
from sparrow.apps import app as apps
from sparrow.apps import conversation, flow, live, log, prepared, trail, user, version
from sparrow.apps import message as messages
from sparrow.apps.live import Live
from sparrow.apps.order import Order, Turn
from sparrow.engine.ports import FormResult
from sparrow.errors import NotFound, SparrowError
from sparrow.storage import db
from sparrow.storage.tables.runs import forms, node_executions, workflow_runs


def get(token: str) -> Row:
    """Return a form that can be filled; raise NotFound, or an error with status 412."""
    row = _row(token)
    _open(row)
    return row


def submit(token: str, inputs: dict[str, Any], action: str) -> None:
    """Fill a form and let its run go on; raise when the action is unknown or somebody was faster."""
    row = _row(token)
    _open(row)
    known = [item.get("id") for item in row.definition["user_actions"]]
    if action not in known:
        raise SparrowError(f"Invalid action: {action}", code="invalid_form_data", status=400)
    names = [item.get("output_variable_name") for item in row.definition["inputs"]]
    missing = [name for name in names if name not in inputs]
    if missing:
        raise SparrowError(f"Missing required inputs: {', '.join(missing)}", code="invalid_form_data", status=400)
    with db.write() as tx:
        changed = tx.execute(forms.update().where(forms.c.id == row.id, forms.c.status == "waiting").values(
            status="submitted", answer={"action": action, "inputs": {name: inputs[name] for name in names}})).rowcount
        if not changed:
            raise _submitted(row)
        taken = _take(tx, row.run_id)
    _go_on(taken)


def of_runs(run_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the forms of runs by run id, oldest first, as clients see them beside a message."""
    if not run_ids:
        return {}
    with db.read() as tx:
        rows = tx.execute(sa.select(forms).where(forms.c.run_id.in_(run_ids)).order_by(forms.c.created_at)).all()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.run_id, []).append(_content(row))
    return found


def _content(row: Row) -> dict[str, Any]:
    definition, waiting = row.definition, row.status == "waiting"
    shown: dict[str, Any] = {
        "workflow_run_id": row.run_id, "type": "human_input", "submitted": row.status == "submitted",
        "form_definition": {
            "form_id": row.id, "node_id": row.node_id, "node_title": definition.get("node_title"),
            "form_content": definition["form_content"], "inputs": definition["inputs"],
            "actions": definition["user_actions"], "display_in_ui": True,
            "form_token": row.token if waiting else None,
            "resolved_default_values": definition["resolved_default_values"], "expiration_time": row.expires_at}}
    if row.status == "submitted":
        action = row.answer["action"]
        title = next((item.get("title") for item in definition["user_actions"] if item.get("id") == action), action)
        shown["form_submission_data"] = {"node_id": row.node_id, "node_title": definition.get("node_title"),
                                         "action_id": action, "action_text": title,
                                         "rendered_content": definition["form_content"]}
    return shown


def expire() -> None:
    """Time out the forms whose hour has come and let their runs go on."""
    with db.write() as tx:
        late = tx.execute(sa.select(forms.c.id, forms.c.run_id).where(
            forms.c.status == "waiting", forms.c.expires_at <= clock.now())).all()
        for row in late:
            tx.execute(forms.update().where(forms.c.id == row.id).values(status="timeout"))
        taken = [_take(tx, run_id) for run_id in sorted({row.run_id for row in late})]
    for one in taken:
        _go_on(one)


def look_again(run_id: str, waiting: list[str]) -> None:
    """Take a run up that has just paused, if one of the forms it waits for was filled while it still ran."""
    with db.write() as tx:
        filled = tx.execute(sa.select(forms.c.id).where(forms.c.id.in_(waiting), forms.c.status != "waiting")).first()
        taken = _take(tx, run_id) if filled is not None else None
    _go_on(taken)


@dataclass(slots=True)
class _Taken:
    """A paused run that this process goes on with."""

    run: Row
    forms: list[Row]
    position: int


def _take(tx: Connection, run_id: str) -> _Taken | None:
    """Mark a paused run as running here; None if it does not wait, or somebody was faster.

    In the transaction that stores the answer: a process that dies after it leaves a run for `settle` to find.
    """
    if not tx.execute(workflow_runs.update().where(
            workflow_runs.c.id == run_id, workflow_runs.c.status == "paused",
    ).values(status="running", owner=live.owner())).rowcount:
        return None
    run = tx.execute(sa.select(workflow_runs).where(workflow_runs.c.id == run_id)).first()
    answered = tx.execute(sa.select(forms).where(forms.c.run_id == run_id, forms.c.status != "waiting")).all()
    position = tx.execute(sa.select(sa.func.max(node_executions.c.position))
                          .where(node_executions.c.run_id == run_id)).scalar() or 0
    return _Taken(run, answered, position)


def _go_on(taken: _Taken | None) -> None:
    if taken is None:
        return
    results = {row.id: FormResult("timeout") if row.status == "timeout" else FormResult(
        "submitted", row.answer["action"], row.answer["inputs"]) for row in taken.forms}
    try:
        turn = _turn(taken.run, next((row.definition.get("base_url") for row in taken.forms), None) or "")
    except SparrowError as error:  # its version was deleted meanwhile
        trail.fail(taken.run.id, error.message)
        return
    flow.resume(turn, taken.run.state, results, taken.position)


def _turn(run: Row, base_url: str) -> Turn:
    app = apps.get(run.app_id)
    row = version.get(app.id, run.version_id)
    definition = prepared.Definition(row.id, app.mode, version.filled(row), row.created_at)
    found = user.names({run.end_user_id})[run.end_user_id]
    order = Order(app, found, {}, source=run.created_from, debug=run.triggered_from == "debugging",
                  base_url=base_url)
    turn = Turn(order, definition, {}, [], Live(app.id, found.id, run_id=run.id), run_id=run.id,
                started=run.created_at)
    if run.message_id:
        message = messages.get(app.id, run.message_id)
        order.query, turn.message_id = message.query, message.id
        turn.conversation_id = message.conversation_id
        turn.conversation = conversation.get(app.id, message.conversation_id)
        turn.resources = messages.details(message, "retriever_resources", [])
        turn.away = messages.details(message, "knowledge_away", [])
    return turn


def _row(token: str) -> Row:
    with db.read() as tx:
        row = tx.execute(sa.select(forms).where(forms.c.token == token)).first()
    if row is None:
        raise NotFound("Form not found")
    log.run_of(row.app_id, row.run_id)
    return row


def _open(row: Row) -> None:
    if row.status == "submitted":
        raise _submitted(row)
    if row.status != "waiting" or (row.expires_at and row.expires_at <= clock.now()):
        raise SparrowError(f"This form has expired, form_id={row.id}", code="human_input_form_expired", status=412)


def _submitted(row: Row) -> SparrowError:
    return SparrowError(f"This form has already been submitted by another user, form_id={row.id}",
                        code="human_input_form_submitted", status=412)

