"""What happened: conversations, messages, runs and their nodes; the admin's ratings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec

from sparrow.api.console import console
from sparrow.api.service import shapes
from sparrow.api.service.conversations import message_shown
from sparrow.api.web import OK, Page, Result, base_url
from sparrow.apps import app as apps
from sparrow.apps import citations, conversation, log, message, user


class LogQuery(Page, kw_only=True):
    """Which conversations."""

    keyword: str = ""
    start: float | None = None
    end: float | None = None


class RunQuery(Page, kw_only=True):
    """Which runs."""

    status: str = ""


class MessageQuery(msgspec.Struct):
    """Which messages."""

    conversation_id: str
    first_id: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Rating(msgspec.Struct):
    """What the admin thinks of an answer."""

    rating: Literal["like", "dislike"] | None = None
    content: str | None = None


class Conversation(msgspec.Struct):
    """A conversation. `from_source`: api, console or web_app."""

    id: str
    name: str
    summary: str
    inputs: dict[str, Any]
    status: str
    from_source: str
    from_end_user_id: str | None
    message_count: int
    from_end_user_session_id: str | None
    created_at: int
    updated_at: int


class Conversations(msgspec.Struct):
    """A page of conversations."""

    data: list[Conversation]
    has_more: bool
    limit: int
    page: int
    total: int


class Run(msgspec.Struct, kw_only=True):
    """A run. `triggered_from`: app-run, debugging, schedule or webhook; `finished_at` is null while it goes on."""

    id: str
    version_id: str
    status: str
    error: str | None
    elapsed_time: float
    total_tokens: int
    total_steps: int
    exceptions_count: int
    triggered_from: str
    created_from: str
    message_id: str | None
    created_at: int
    finished_at: int | None


class RunDetail(Run, kw_only=True):
    """A run with what went in and came out."""

    inputs: dict[str, Any]
    outputs: dict[str, Any] | None


class Runs(msgspec.Struct):
    """A page of runs."""

    data: list[Run]
    has_more: bool
    limit: int
    page: int
    total: int


class NodeRun(msgspec.Struct):
    """A node that ended, or an attempt that failed (`retry`). `container_id`: the iteration or loop it ran in."""

    id: str
    index: int
    node_id: str
    node_type: str
    title: str
    status: str
    inputs: Any
    process_data: Any
    outputs: Any
    error: str | None
    elapsed_time: float
    execution_metadata: dict[str, Any] | None
    container_id: str | None
    container_index: int | None
    created_at: float
    finished_at: float | None


class NodeRuns(msgspec.Struct):
    """The nodes of a run."""

    data: list[NodeRun]


@console.get("/apps/<app_id>/chat-conversations", tag="logs")
def list_conversations(app_id: str, query: LogQuery) -> Conversations:
    """List an app's conversations, newest first."""
    apps.get(app_id)
    rows, total = log.conversations_of(app_id, keyword=query.keyword, start=query.start, end=query.end,
                                       offset=query.offset(), limit=query.limit)
    names = user.names({row.end_user_id for row in rows})
    return Conversations([Conversation(
        row.id, row.name, row.name, row.inputs, row.status, row.created_from, row.end_user_id, row.message_count,
        names[row.end_user_id].session_id if row.end_user_id in names else None, int(row.created_at),
        int(row.updated_at)) for row in rows], *_rest(query, total, rows))


class Judged(TypedDict):
    """What the admin thinks of an answer."""

    rating: str


class MessageMetadata(TypedDict):
    """What an answer took."""

    usage: dict[str, Any] | None
    retriever_resources: list[dict[str, Any]]
    knowledge_away: list[dict[str, Any]]


class Message(shapes.Message):
    """A message as its owner sees it: with the prompt the model got and what it took."""

    message: Any
    workflow_run_id: str | None
    admin_feedback: Judged | None
    metadata: MessageMetadata


class Messages(TypedDict):
    """Messages of a conversation, the newest first."""

    limit: int
    has_more: bool
    data: list[Message]


@console.get("/apps/<app_id>/chat-messages", tag="logs")
def list_messages(app_id: str, query: MessageQuery) -> Messages:
    """List the messages of a conversation with what they took."""
    row = conversation.get(app_id, query.conversation_id)
    rows, more = message.find(row.id, first_id=query.first_id, limit=query.limit)
    rated, judged = (message.ratings([item.id for item in rows], source) for source in ("user", "admin"))
    return {"limit": query.limit, "has_more": more, "data": [{
        **message_shown(item, rated.get(item.id)), "message": item.prompt or [], "workflow_run_id": item.run_id,
        "message_tokens": item.tokens, "provider_response_latency": round(item.latency, 3),
        "admin_feedback": {"rating": judged[item.id].rating} if item.id in judged else None,
        "metadata": {"usage": message.details(item, "usage"),
                     "retriever_resources": citations.fresh(
                         message.details(item, "retriever_resources", []), base_url()),
                     "knowledge_away": message.details(item, "knowledge_away", [])}} for item in rows]}


@console.post("/apps/<app_id>/messages/<message_id>/feedbacks", tag="logs")
def rate(app_id: str, message_id: str, body: Rating) -> Result:
    """Rate an answer as the admin."""
    message.rate(message.get(app_id, message_id), body.rating, body.content, source="admin")
    return OK


@console.get("/apps/<app_id>/workflow-runs", tag="logs")
def list_runs(app_id: str, query: RunQuery) -> Runs:
    """List runs of a workflow or chatflow, newest first."""
    apps.get(app_id)
    rows, total = log.runs_of(app_id, status=query.status, offset=query.offset(), limit=query.limit)
    return Runs([Run(**_run(row)) for row in rows], *_rest(query, total, rows))


@console.get("/apps/<app_id>/workflow-runs/<run_id>", tag="logs")
def get_run(app_id: str, run_id: str) -> RunDetail:
    """Get a run with its inputs and outputs."""
    row = log.run_of(app_id, run_id)
    return RunDetail(**_run(row), inputs=row.inputs, outputs=row.outputs)


@console.get("/apps/<app_id>/workflow-runs/<run_id>/node-executions", tag="logs")
def list_nodes(app_id: str, run_id: str) -> NodeRuns:
    """List the nodes of a run in the order they ended."""
    log.run_of(app_id, run_id)
    return NodeRuns([NodeRun(
        row.execution_id, row.position, row.node_id, row.node_type, row.title, row.status, row.inputs,
        row.process_data, row.outputs, row.error, row.elapsed_time, row.metadata, row.container_id,
        row.container_index, row.created_at, row.finished_at) for row in log.nodes_of(run_id)])


def _run(row) -> dict[str, Any]:
    return {"id": row.id, "version_id": row.version_id, "status": row.status, "error": row.error,
            "elapsed_time": row.elapsed_time, "total_tokens": row.total_tokens, "total_steps": row.total_steps,
            "exceptions_count": row.exceptions_count, "triggered_from": row.triggered_from,
            "created_from": row.created_from, "message_id": row.message_id, "created_at": int(row.created_at),
            "finished_at": int(row.finished_at) if row.finished_at else None}


def _rest(query: Page, total: int, rows: list) -> tuple[bool, int, int, int]:
    """Return the fields of a page after its data."""
    return query.offset() + len(rows) < total, query.limit, query.page, total
