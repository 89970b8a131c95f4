"""Runs of workflows: start, stop, look at, list, follow again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from flask import Response

from sparrow.api import sse
from sparrow.api.service import service, shapes
from sparrow.api.service.chat import StopPayload, answer
from sparrow.api.service.who import app, end_user, source
from sparrow.api.web import OK, Result, base_url
from sparrow.apps import live, log, run, user, version
from sparrow.apps.order import Order
from sparrow.errors import BadRequest, NotFound

TAG = "workflows"


class WorkflowRunPayload(msgspec.Struct):
    """What a workflow gets."""

    needs_user: ClassVar[bool] = True

    inputs: dict[str, Any]
    user: str = ""
    files: list[Any] | None = None
    response_mode: Literal["blocking", "streaming"] | None = None


class WorkflowLogQuery(msgspec.Struct):
    """Which runs."""

    keyword: str | None = None
    status: Literal["succeeded", "failed", "stopped", "partial-succeeded", "paused", "running"] | None = None
    created_at__before: str | None = None
    created_at__after: str | None = None
    created_by_end_user_session_id: str | None = None
    created_by_account: str | None = None
    page: Annotated[int, msgspec.Meta(ge=1, le=99999)] = 1
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class EventQuery(msgspec.Struct):
    """Who follows a run."""

    user: str | None = None
    include_state_snapshot: bool = False
    continue_on_pause: bool = False


@service.post("/workflows/run", tag=TAG, stream=True, reply=shapes.RunReply)
def run_workflow(body: WorkflowRunPayload) -> Response:
    """Run the published workflow; events stream, or the result comes when it has ended."""
    return _run(body, None)


@service.post("/workflows/<workflow_id>/run", tag=TAG, stream=True, reply=shapes.RunReply)
def run_version(workflow_id: str, body: WorkflowRunPayload) -> Response:
    """Run one published version of the workflow."""
    return _run(body, workflow_id)


@service.post("/workflows/tasks/<task_id>/stop", tag=TAG)
def stop_workflow(task_id: str, body: StopPayload) -> Result:
    """Stop a run."""
    if app().mode != "workflow":
        raise run.wrong_mode("not_workflow_app")
    live.stop(task_id, app().id, end_user(body.user).id)
    return OK


@service.get("/workflows/run/<run_id>", tag=TAG)
def get_run(run_id: str) -> shapes.Run:
    """Get a run."""
    _needs_graph()
    row = log.run_of(app().id, run_id)
    return {"id": row.id, "workflow_id": row.version_id, "status": row.status,
            "inputs": json.dumps(row.inputs, ensure_ascii=False), "outputs": row.outputs or {}, "error": row.error,
            "total_steps": row.total_steps, "total_tokens": row.total_tokens, "created_at": int(row.created_at),
            "finished_at": int(row.finished_at) if row.finished_at else None, "elapsed_time": row.elapsed_time}


@service.get("/workflows/logs", tag=TAG)
def list_runs(query: WorkflowLogQuery) -> shapes.RunLog:
    """List runs, newest first."""
    if query.created_by_account:  # the key's runs are end users', never an account's
        return {"page": query.page, "limit": query.limit, "total": 0, "has_more": False, "data": []}
    rows, total = log.runs_of(
        app().id, status=query.status or "", keyword=query.keyword or "",
        before=_moment(query.created_at__before), after=_moment(query.created_at__after),
        session_id=query.created_by_end_user_session_id or "", offset=(query.page - 1) * query.limit,
        limit=query.limit)
    names = user.names({row.end_user_id for row in rows if row.end_user_id})
    stamps = version.stamps({row.version_id for row in rows})
    return {"page": query.page, "limit": query.limit, "total": total,
            "has_more": query.page * query.limit < total, "data": [_entry(row, names, stamps) for row in rows]}


@service.get("/workflow/<run_id>/events", tag=TAG, stream=True)
def follow(run_id: str, query: EventQuery) -> Response:
    """Follow a run again: its events from the beginning, or its end if it is over."""
    _needs_graph()
    found = end_user(query.user)
    try:
        row = log.run_of(app().id, run_id)
    except NotFound:
        row = None
    if row is None or row.end_user_id != found.id or row.created_from != source():
        raise NotFound("Workflow run not found")
    running = live.by_run(run_id)
    if running is not None:
        return sse.stream(running, first_ping=True, public=source() == "web-app")
    return ended(row, found)


def ended(row, found: user.EndUser) -> Response:
    """Return the last event of a run that is over, or waits, as a stream."""
    created_by = {"id": found.id, "user": found.session_id}
    data = {"id": row.id, "workflow_id": row.version_id, "status": row.status, "outputs": row.outputs or {},
            "error": row.error, "elapsed_time": row.elapsed_time, "total_tokens": row.total_tokens,
            "total_steps": row.total_steps, "created_by": created_by, "created_at": int(row.created_at),
            "finished_at": int(row.finished_at) if row.finished_at else None,
            "exceptions_count": row.exceptions_count, "files": []}
    name = "workflow_paused" if row.status == "paused" else "workflow_finished"
    return sse.respond([sse.frame({"event": name, "task_id": row.id, "workflow_run_id": row.id, "data": data})])


def _run(body: WorkflowRunPayload, version_id: str | None) -> Response:
    if app().mode != "workflow":
        raise run.wrong_mode("not_workflow_app")
    streaming = body.response_mode == "streaming"
    return answer(run.workflow(Order(app(), end_user(body.user), body.inputs, files=body.files or [],
                                     version_id=version_id, streaming=streaming, source=source(), base_url=base_url())),
                  streaming, first_ping=True)


def _needs_graph() -> None:
    if app().mode not in ("workflow", "advanced-chat"):
        raise run.wrong_mode("not_workflow_app")


def _entry(row, names: dict[str, user.EndUser], stamps: dict[str, str]) -> dict[str, Any]:
    found = names.get(row.end_user_id)
    return {
        "id": row.id, "details": None, "created_from": row.created_from, "created_by_role": "end_user",
        "created_by_account": None, "created_at": int(row.created_at),
        "created_by_end_user": {"id": found.id, "type": found.type, "is_anonymous": False,
                                "session_id": found.session_id} if found else None,
        "workflow_run": {"id": row.id, "version": stamps.get(row.version_id, ""), "status": row.status,
                         "triggered_from": row.triggered_from, "error": row.error, "elapsed_time": row.elapsed_time,
                         "total_tokens": row.total_tokens, "total_steps": row.total_steps,
                         "created_at": int(row.created_at),
                         "finished_at": int(row.finished_at) if row.finished_at else None,
                         "exceptions_count": row.exceptions_count}}


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise BadRequest(f"'{text[:40]}' is not a time in ISO format") from None
