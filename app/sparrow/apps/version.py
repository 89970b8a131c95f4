"""Versions of an app: the draft, publishing, listing, comparing, restoring.

An app has one draft (number 0) that the editor saves; publishing copies it to the next number. Apps without a graph
are published when they are made, and have a draft from the first change on. Published versions never change, so
whatever is made from one can be cached by id.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from sparrow import clock, ids
from sparrow.apps import knowledge_use
from sparrow.dsl import shape
from sparrow.dsl.document import GRAPH_MODES
from sparrow.errors import BadRequest, Conflict, NotFound
from sparrow.storage import db, secrets
from sparrow.storage.tables.apps import apps, versions

DRAFT = 0
# What the console shows and sends in place of a secret that is to stay as it is.
HIDDEN = "[__HIDDEN__]"


def get(app_id: str, version_id: str) -> Row:
    """Return one version of an app; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(_BY_ID, {"version_id": version_id}).first()
    if row is None or row.app_id != app_id:
        raise NotFound(f"Workflow not found with id: {version_id}")
    return row


_BY_ID = sa.select(versions).where(versions.c.id == sa.bindparam("version_id"))


def draft(app_id: str) -> Row:
    """Return the draft of a graph app; raise NotFound."""
    with db.read() as tx:
        return _drafted(tx, app_id)


def current(app: Row) -> Row:
    """Return what the editor shows: the draft, or the live version of an app without a graph if it is the same."""
    with db.read() as tx:
        return _current(tx, app)


def is_live(app_id: str, row: Row) -> bool:
    """Tell whether clients run what a version or draft holds."""
    with db.read() as tx:
        live = tx.execute(_live(app_id)).first()
    return live is not None and live.hash == row.hash


def published(app: Row) -> Row:
    """Return what clients run; raise BadRequest if nothing was published."""
    if app.published_id is None:
        raise BadRequest("Workflow not published")
    return get(app.id, app.published_id)


def save_draft(app_id: str, content: dict[str, Any], *, expected_hash: str | None = None) -> Row:
    """Replace the draft of a graph; raise Conflict if it changed since the caller read `expected_hash`."""
    shape.workflow(content)
    with db.write() as tx:
        return _save(tx, app_id, content, expected_hash)


def configure(app_id: str, content: dict[str, Any], *, expected_hash: str | None = None) -> Row:
    """Replace the draft of an app without a graph by a model_config; raise Conflict like `save_draft`."""
    shape.model_config(content)
    with db.write() as tx:
        return _save(tx, app_id, content, expected_hash)


def publish(app: Row, *, name: str = "", notes: str = "") -> Row:
    """Make the draft what clients run and return the new version; without a graph and a change, the live one."""
    if len(name) > 20:
        raise BadRequest("marked_name: must be at most 20 characters", params="marked_name")
    if len(notes) > 100:
        raise BadRequest("marked_comment: must be at most 100 characters", params="marked_comment")
    with db.write() as tx:  # what another window saves meanwhile is published, or comes after it
        row = _current(tx, app)
        if app.mode in GRAPH_MODES and not any(
                (node.get("data") or {}).get("type") for node in row.content["graph"]["nodes"]):
            raise BadRequest("The draft has no nodes; add a start node first.")
        if row.number == DRAFT:
            return _publish(tx, app.id, row.content, row.secrets, row.hash, name, notes)
    return describe(app.id, row.id, name=name, notes=notes) if name or notes else row


def publish_content(app_id: str, content: dict[str, Any]) -> Row:
    """Check and publish a model_config; a save that changes nothing makes no new version."""
    shape.model_config(content)
    digest = _hash(content, None)
    with db.write() as tx:
        live = tx.execute(_live(app_id)).first()
        if live is None or live.hash != digest:
            live = _publish(tx, app_id, content, None, digest, "", "")
        if tx.execute(_draft(app_id)).first() is not None:
            _save(tx, app_id, content, None)
        return live


def find(app_id: str, *, offset: int = 0, limit: int = 20) -> tuple[list[Row], int]:
    """Return a page of published versions, newest first, without their content, and how many there are."""
    columns = [column for column in versions.c if column.name not in ("content", "secrets")]
    where = versions.c.app_id == app_id, versions.c.number > DRAFT
    with db.read() as tx:
        total = tx.execute(sa.select(sa.func.count()).select_from(versions).where(*where)).scalar_one()
        rows = tx.execute(sa.select(*columns).where(*where).order_by(versions.c.number.desc())
                          .offset(offset).limit(limit)).all()
    return rows, total


def stamps(version_ids: Collection[str]) -> dict[str, str]:
    """Return what Dify calls versions by: the moment each was published, in UTC, or `draft`."""
    columns = versions.c.id, versions.c.number, versions.c.created_at
    with db.read() as tx:
        rows = tx.execute(sa.select(*columns).where(versions.c.id.in_(version_ids))).all()
    return {row.id: "draft" if row.number == DRAFT else
            str(datetime.fromtimestamp(row.created_at, UTC).replace(tzinfo=None)) for row in rows}


def describe(app_id: str, version_id: str, *, name: str | None = None, notes: str | None = None) -> Row:
    """Set the name and notes of a published version."""
    get(app_id, version_id)
    values = {key: value for key, value in (("name", name), ("notes", notes)) if value is not None}
    with db.write() as tx:
        tx.execute(versions.update().where(versions.c.id == version_id, versions.c.number > DRAFT)
                   .values(**values, updated_at=clock.now()))
        return get(app_id, version_id)


def restore(app: Row, version_id: str) -> Row:
    """Make an earlier version the draft; return the draft."""
    row = get(app.id, version_id)
    return (save_draft if app.mode in GRAPH_MODES else configure)(app.id, filled(row))


def delete(app: Row, version_id: str) -> None:
    """Delete a published version that is not the live one."""
    row = get(app.id, version_id)
    if row.number == DRAFT or row.id == app.published_id:
        raise BadRequest("The draft and the live version cannot be deleted.")
    with db.write() as tx:
        tx.execute(versions.delete().where(versions.c.id == version_id))


def diff(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what changed between two graphs or configurations: nodes and edges by id, other keys by name; `titles` are
    those of the nodes of both."""
    old_nodes, new_nodes = _by_id(before, "nodes"), _by_id(after, "nodes")
    old_edges, new_edges = _by_id(before, "edges"), _by_id(after, "edges")
    changed = []
    for node_id in old_nodes.keys() & new_nodes.keys():
        fields = _changes(old_nodes[node_id].get("data") or {}, new_nodes[node_id].get("data") or {})
        if fields:
            changed.append({"id": node_id, "title": _title(new_nodes[node_id]), "fields": fields})
    return {
        "nodes": {"added": _names(new_nodes, old_nodes), "removed": _names(old_nodes, new_nodes),
                  "changed": sorted(changed, key=lambda item: item["id"])},
        "edges": {"added": _links(new_edges, old_edges), "removed": _links(old_edges, new_edges)},
        "titles": {node_id: _title(node) for node_id, node in {**old_nodes, **new_nodes}.items()},
        "settings": _changes({key: value for key, value in before.items() if key != "graph"},
                             {key: value for key, value in after.items() if key != "graph"}),
    }


def filled(row: Row) -> dict[str, Any]:
    """Return a version's content with its secrets in place, for running it and for exports that include them."""
    if not row.secrets:
        return row.content
    content = copy.deepcopy(row.content)
    for variable in content.get("environment_variables") or []:
        stored = row.secrets.get(variable.get("name"))
        if stored and variable.get("value_type") == "secret":
            variable["value"] = secrets.decrypt(stored)
    return content


def shown(row: Row) -> dict[str, Any]:
    """Return a version's content as the editor gets it: HIDDEN in place of each secret that is set."""
    if not row.secrets:
        return row.content
    content = copy.deepcopy(row.content)
    for variable in content.get("environment_variables") or []:
        if variable.get("value_type") == "secret" and variable.get("name") in row.secrets:
            variable["value"] = HIDDEN
    return content


def _save(tx: Connection, app_id: str, content: dict[str, Any], expected_hash: str | None) -> Row:
    moment, row = clock.now(), tx.execute(_draft(app_id)).first()
    before = row or tx.execute(_live(app_id)).first()
    if before is not None and expected_hash and expected_hash != before.hash:
        raise Conflict("The draft was changed somewhere else. Load it again.", code="draft_workflow_not_sync")
    content, hidden = _split(content, row.secrets if row else None)
    digest = _hash(content, hidden)
    if row is not None and digest == row.hash:
        return row
    values = {"content": content, "secrets": hidden, "hash": digest, "updated_at": moment}
    if row is None:
        tx.execute(versions.insert().values(id=ids.new_id(), app_id=app_id, number=DRAFT, created_at=moment, **values))
    else:
        tx.execute(versions.update().where(versions.c.id == row.id).values(**values))
    tx.execute(apps.update().where(apps.c.id == app_id).values(updated_at=moment))
    knowledge_use.record(tx, app_id)
    return tx.execute(_draft(app_id)).first()


def _publish(tx: Connection, app_id: str, content, hidden, digest: str, name: str, notes: str) -> Row:
    version_id, moment = ids.new_id(), clock.now()
    last = tx.execute(sa.select(sa.func.max(versions.c.number)).where(versions.c.app_id == app_id)).scalar() or 0
    tx.execute(versions.insert().values(
        id=version_id, app_id=app_id, number=last + 1, name=name, notes=notes, content=content, secrets=hidden,
        hash=digest, created_at=moment, updated_at=moment))
    tx.execute(apps.update().where(apps.c.id == app_id).values(published_id=version_id, updated_at=moment))
    knowledge_use.record(tx, app_id)
    return tx.execute(_BY_ID, {"version_id": version_id}).first()


def _drafted(tx: Connection, app_id: str) -> Row:
    row = tx.execute(_draft(app_id)).first()
    if row is None:
        raise NotFound("This app has no draft.", code="draft_workflow_not_exist")
    return row


def _current(tx: Connection, app: Row) -> Row:
    if app.mode in GRAPH_MODES:
        return _drafted(tx, app.id)
    row, live = tx.execute(_draft(app.id)).first(), tx.execute(_live(app.id)).first()
    if row is None or (live is not None and live.hash == row.hash):
        row = live
    if row is None:
        raise NotFound("This app has no configuration yet.")
    return row


def _draft(app_id: str):
    return sa.select(versions).where(versions.c.app_id == app_id, versions.c.number == DRAFT)


def _live(app_id: str):
    return sa.select(versions).join(apps, apps.c.published_id == versions.c.id).where(apps.c.id == app_id)


def _split(content: dict[str, Any], stored: dict[str, str] | None) -> tuple[dict[str, Any], dict[str, str] | None]:
    """Return the content with its secrets blanked, and the secrets encrypted; HIDDEN keeps what was stored."""
    variables = content.get("environment_variables") or []
    if not any(variable.get("value_type") == "secret" for variable in variables):
        return content, None
    content = copy.deepcopy(content)
    hidden: dict[str, str] = {}
    for variable in content["environment_variables"]:
        if variable.get("value_type") != "secret":
            continue
        name, value = variable["name"], variable.get("value") or ""
        before = (stored or {}).get(name)
        if value == HIDDEN:
            if before:
                hidden[name] = before
        elif before and value and secrets.decrypt(before) == value:
            hidden[name] = before  # unchanged: the same bytes, so that the hash stays too
        elif value:
            hidden[name] = secrets.encrypt(value)
        variable["value"] = ""
    return content, hidden or None


def _hash(content: Any, hidden: Any) -> str:
    return hashlib.sha256(msgspec.json.encode([content, hidden], order="sorted")).hexdigest()


def _by_id(content: dict[str, Any], part: str) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in (content.get("graph") or {}).get(part) or [] if item.get("id")}


def _title(node: dict[str, Any]) -> str:
    return (node.get("data") or {}).get("title") or ""


def _names(here: dict[str, Any], there: dict[str, Any]) -> list[dict[str, str]]:
    return [{"id": node_id, "title": _title(node)} for node_id, node in here.items() if node_id not in there]


def _links(here: dict[str, Any], there: dict[str, Any]) -> list[dict[str, str]]:
    return [{"id": edge_id, "source": str(here[edge_id].get("source") or ""),
             "target": str(here[edge_id].get("target") or "")} for edge_id in sorted(here.keys() - there.keys())]


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    names = sorted(before.keys() | after.keys())
    return [{"name": name, "before": before.get(name), "after": after.get(name)} for name in names
            if before.get(name) != after.get(name) and name != "selected"]
