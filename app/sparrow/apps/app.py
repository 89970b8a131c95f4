"""Apps: make, find, change, copy and delete them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps import template, version
from sparrow.dsl.document import GRAPH_MODES, MODES
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db
from sparrow.storage.tables.apps import annotations, app_keys, app_tags, apps, versions
from sparrow.storage.tables.conversations import conversations, end_users, feedbacks, messages
from sparrow.storage.tables.knowledge import app_datasets
from sparrow.storage.tables.runs import forms, node_executions, workflow_runs
from sparrow.storage.tables.tools import mcp_servers, tool_providers

# What `change` may set; everything else of an app has a noun of its own.
FIELDS = ("name", "description", "icon_type", "icon", "icon_background", "use_icon_as_answer_icon", "enable_site",
          "enable_api", "site")


def create(name: str, mode: str, **values: Any) -> Row:
    """Make an app with the definition a new one of its mode starts from; return its row."""
    if mode not in MODES:
        raise BadRequest(f"'{mode}' is not a valid AppMode", params="mode")
    return insert(name, mode, template.content(mode), **values)


def insert(name: str, mode: str, content: dict[str, Any], **values: Any) -> Row:
    """Make an app with a definition. Chat, agent and completion apps are live at once, graphs begin as drafts."""
    app_id, moment = ids.new_id(), clock.now()
    row = {"id": app_id, "name": _name(name), "mode": mode, "created_at": moment, "updated_at": moment,
           **{key: value for key, value in values.items() if value is not None}}
    with db.write() as tx:
        tx.execute(apps.insert().values(**row))
        if mode in GRAPH_MODES:
            version.save_draft(app_id, content)
        else:
            version.publish_content(app_id, content)
        return get(app_id)


def get(app_id: str) -> Row:
    """Return an app's row; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(_BY_ID, {"app_id": app_id}).first()
    if row is None:
        raise NotFound("App not found.", code="app_not_found")
    return row


_BY_ID = sa.select(apps).where(apps.c.id == sa.bindparam("app_id"))


def find(*, name: str = "", mode: str = "", tag: str = "", offset: int = 0, limit: int = 20) -> tuple[list[Row], int]:
    """Return a page of apps, the last changed first, and how many there are in all."""
    where = []
    if name:
        where.append(sa.func.lower(apps.c.name).contains(name.lower(), autoescape=True))
    if mode and mode != "all":
        where.append(apps.c.mode == mode)
    if tag:
        where.append(apps.c.id.in_(sa.select(app_tags.c.app_id).where(app_tags.c.name == tag)))
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(apps).where(*where)).scalar_one()
        rows = tx.execute(sa.select(apps).where(*where).order_by(apps.c.updated_at.desc(), apps.c.id)
                          .offset(offset).limit(limit)).all()
    return rows, total


def tags(app_ids: list[str]) -> dict[str, list[str]]:
    """Return the tags of some apps by app id."""
    found: dict[str, list[str]] = {app_id: [] for app_id in app_ids}
    with db.read() as tx:
        rows = tx.execute(sa.select(app_tags).where(app_tags.c.app_id.in_(app_ids)).order_by(app_tags.c.name))
        for row in rows:
            found[row.app_id].append(row.name)
    return found


def all_tags() -> list[str]:
    """Return every tag that an app has."""
    with db.read() as tx:
        return list(tx.execute(sa.select(app_tags.c.name).distinct().order_by(app_tags.c.name)).scalars())


def tag(app_id: str, names: list[str]) -> None:
    """Set an app's tags."""
    get(app_id)
    clean = list(dict.fromkeys(name.strip()[:50] for name in names if name.strip()))
    with db.write() as tx:
        tx.execute(app_tags.delete().where(app_tags.c.app_id == app_id))
        if clean:
            tx.execute(app_tags.insert(), [{"app_id": app_id, "name": name} for name in clean])


def change(app_id: str, **values: Any) -> Row:
    """Set some of FIELDS; return the row as it is then."""
    unknown = set(values) - set(FIELDS)
    if unknown:
        raise BadRequest(f"{', '.join(sorted(unknown))}: cannot be changed", params=min(unknown))
    if "name" in values:
        values["name"] = _name(values["name"])
    with db.write() as tx:
        tx.execute(apps.update().where(apps.c.id == app_id).values(**values, updated_at=clock.now()))
        return get(app_id)


def copy(app_id: str, **values: Any) -> Row:
    """Make a second app with the same definition (the draft of a graph, secrets included)."""
    original = get(app_id)
    content = version.current(original)
    kept = {name: getattr(original, name) for name in (
        "description", "icon_type", "icon", "icon_background", "use_icon_as_answer_icon", "source")}
    kept.update({name: value for name, value in values.items() if value is not None and name != "name"})
    return insert(values.get("name") or original.name, original.mode, version.filled(content), **kept)


def delete(app_id: str) -> None:
    """Delete an app with everything that belongs to it: versions, keys, conversations, runs."""
    get(app_id)
    with db.write() as tx:
        runs = sa.select(workflow_runs.c.id).where(workflow_runs.c.app_id == app_id)
        tx.execute(node_executions.delete().where(node_executions.c.run_id.in_(runs)))
        for table in (forms, workflow_runs, feedbacks, messages, conversations, end_users, annotations, app_tags,
                      app_keys, versions, mcp_servers, tool_providers, app_datasets):
            tx.execute(table.delete().where(table.c.app_id == app_id))
        tx.execute(apps.delete().where(apps.c.id == app_id))


def _name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > 255:
        raise BadRequest("name: must be text of at most 255 characters", params="name")
    return name.strip()
