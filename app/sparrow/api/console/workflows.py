"""The draft of a workflow or chatflow, its published versions, and going back to one."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import msgspec

from sparrow.api.console import console
from sparrow.api.web import OK, Page, Result, base_url
from sparrow.apps import app as apps
from sparrow.apps import trigger, version
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest

TAG = "workflows"


class Draft(msgspec.Struct):
    """A draft to save. `hash` is that of the draft it was made from: another one in between is a 409."""

    graph: dict[str, Any]
    features: dict[str, Any] = {}
    environment_variables: list[dict[str, Any]] | None = None
    conversation_variables: list[dict[str, Any]] | None = None
    hash: str | None = None


class Publish(msgspec.Struct):
    """A name and notes for the version."""

    marked_name: str = ""
    marked_comment: str = ""


class Describe(msgspec.Struct):
    """A new name, new notes; what is absent stays."""

    marked_name: str | None = None
    marked_comment: str | None = None


class Head(msgspec.Struct, kw_only=True):
    """A version without its content. `version` is "draft" or its number; `live`: clients run this one."""

    id: str
    number: int
    version: str
    marked_name: str
    marked_comment: str
    created_at: int
    updated_at: int
    live: bool = False


class Version(TypedDict):
    """A version with its content: a graph with its features and variables, or the keys of another app's file."""

    id: str
    number: int
    version: str
    marked_name: str
    marked_comment: str
    created_at: int
    updated_at: int
    live: bool
    hash: str
    graph: NotRequired[dict[str, Any]]
    features: NotRequired[dict[str, Any]]
    environment_variables: NotRequired[list[dict[str, Any]]]
    conversation_variables: NotRequired[list[dict[str, Any]]]


class DraftShown(Version):
    """The draft with its content. `published`: clients run the same."""

    published: bool


class VersionList(msgspec.Struct):
    """A page of versions."""

    data: list[Head]
    has_more: bool
    limit: int
    page: int
    total: int


class Published(msgspec.Struct):
    """The version that clients run from now on."""

    result: str
    id: str
    number: int
    created_at: int


class Saved(msgspec.Struct):
    """What the next save must name as the draft it was made from."""

    result: str
    hash: str
    updated_at: int


class Named(msgspec.Struct):
    """A node."""

    id: str
    title: str


class Change(msgspec.Struct):
    """A field with its old and its new value; null where it is absent."""

    name: str
    before: Any
    after: Any


class ChangedNode(msgspec.Struct):
    """A node that is in both versions, and what differs."""

    id: str
    title: str
    fields: list[Change]


class Nodes(msgspec.Struct):
    """How the nodes differ."""

    added: list[Named]
    removed: list[Named]
    changed: list[ChangedNode]


class Link(msgspec.Struct):
    """An edge between two nodes, by their ids."""

    id: str
    source: str
    target: str


class Edges(msgspec.Struct):
    """How the edges differ, by id."""

    added: list[Link]
    removed: list[Link]


class Diff(msgspec.Struct):
    """What became of a version on the way to another. `settings`: everything but the graph; `titles`: what the nodes
    of both are called, by id."""

    nodes: Nodes
    edges: Edges
    titles: dict[str, str]
    settings: list[Change]


class DiffQuery(msgspec.Struct):
    """The other side of a comparison: a version id, or "draft"."""

    to: str = "draft"


class Trigger(msgspec.Struct):
    """A node that starts the workflow by itself. `status`: enabled, disabled (nothing is published), or what is wrong
    with it; `next_run_at` is Unix time."""

    node_id: str
    trigger_type: str
    title: str
    status: str
    webhook_url: str | None
    next_run_at: int | None


class Triggers(msgspec.Struct):
    """All triggers of an app."""

    data: list[Trigger]


@console.get("/apps/<app_id>/triggers", tag=TAG)
def get_triggers(app_id: str) -> Triggers:
    """List the triggers of the published version, with the addresses of webhooks and the next time of schedules."""
    return Triggers([Trigger(**item) for item in trigger.of_app(_graph(app_id).id, base_url())])


@console.get("/apps/<app_id>/workflows/draft", tag=TAG)
def get_draft(app_id: str) -> DraftShown:
    """Get the draft, and whether it is what clients run."""
    row = version.draft(_graph(app_id).id)
    return {**shown(row), "published": version.is_live(app_id, row)}


@console.post("/apps/<app_id>/workflows/draft", tag=TAG)
def save_draft(app_id: str, body: Draft) -> Saved:
    """Save the draft; the reply has its new hash."""
    row = _graph(app_id)
    content = dict(version.draft(row.id).content)
    content.update(graph=body.graph, features=body.features)
    for name in ("environment_variables", "conversation_variables"):
        value = getattr(body, name)
        if value is not None:
            content[name] = value
        elif name == "environment_variables":
            content[name] = version.shown(version.draft(row.id)).get(name) or []
    saved = version.save_draft(row.id, content, expected_hash=body.hash)
    return Saved("success", saved.hash, int(saved.updated_at))


@console.post("/apps/<app_id>/workflows/publish", tag=TAG)
def publish(app_id: str, body: Publish) -> Published:
    """Publish the draft of any app."""
    row = version.publish(apps.get(app_id), name=body.marked_name, notes=body.marked_comment)
    return Published("success", row.id, row.number, int(row.created_at))


@console.get("/apps/<app_id>/workflows", tag=TAG)
def list_versions(app_id: str, query: Page) -> VersionList:
    """List published versions, newest first."""
    app = apps.get(app_id)
    rows, total = version.find(app_id, offset=query.offset(), limit=query.limit)
    return VersionList([_head(row, app) for row in rows], query.offset() + len(rows) < total, query.limit, query.page,
                       total)


@console.get("/apps/<app_id>/workflows/<version_id>", tag=TAG)
def get_version(app_id: str, version_id: str) -> Version:
    """Get one version with its content."""
    return shown(version.get(app_id, version_id))


@console.patch("/apps/<app_id>/workflows/<version_id>", tag=TAG)
def describe_version(app_id: str, version_id: str, body: Describe) -> Head:
    """Name a version."""
    app = apps.get(app_id)
    return _head(version.describe(app_id, version_id, name=body.marked_name, notes=body.marked_comment), app)


@console.delete("/apps/<app_id>/workflows/<version_id>", status=204, tag=TAG)
def delete_version(app_id: str, version_id: str) -> None:
    """Delete a version that is not live."""
    version.delete(apps.get(app_id), version_id)


@console.get("/apps/<app_id>/workflows/<version_id>/diff", tag=TAG)
def diff(app_id: str, version_id: str, query: DiffQuery) -> Diff:
    """Compare a version with another one or with the draft."""
    app = apps.get(app_id)
    other = version.current(app) if query.to == "draft" else version.get(app_id, query.to)
    return msgspec.convert(version.diff(version.get(app_id, version_id).content, other.content), Diff)


@console.post("/apps/<app_id>/workflows/<version_id>/restore", tag=TAG)
def restore(app_id: str, version_id: str) -> Result:
    """Make a version the draft."""
    version.restore(apps.get(app_id), version_id)
    return OK


def shown(row) -> Version:
    """Return a version with its content; secrets are hidden."""
    return {**msgspec.to_builtins(_head(row)), **version.shown(row), "hash": row.hash}


def _head(row, app=None) -> Head:
    return Head(id=row.id, number=row.number, version="draft" if row.number == version.DRAFT else str(row.number),
                marked_name=row.name, marked_comment=row.notes, created_at=int(row.created_at),
                updated_at=int(row.updated_at), live=app is not None and row.id == app.published_id)


def _graph(app_id: str):
    row = apps.get(app_id)
    if row.mode not in GRAPH_MODES:
        raise BadRequest("Only workflows and chatflows have a draft.", code="app_unavailable")
    return row
