"""Apps as MCP servers: a published app is one tool at an address that only who knows its code can call."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.apps import app, prepared, run, user
from sparrow.apps.order import Order
from sparrow.errors import NotFound, SparrowError
from sparrow.storage import db, secrets
from sparrow.storage.tables.tools import mcp_servers

_TYPES = {"number": "number", "checkbox": "boolean", "json_object": "object"}
_FILES = ("file", "file-list")


@dataclass(slots=True)
class Answer:
    """What an app said to a call: its text, a workflow's outputs, or an error."""

    text: str
    outputs: dict[str, Any] | None = None
    failed: bool = False


def get(app_id: str) -> Row | None:
    """Return an app's server; None if it has none."""
    with db.read() as tx:
        return tx.execute(sa.select(mcp_servers).where(mcp_servers.c.app_id == app_id)).first()


def save(app_id: str, *, description: str, parameters: dict[str, str], enabled: bool) -> Row:
    """Make an app an MCP server, or change its server; `parameters` describes inputs by name."""
    app.get(app_id)
    moment, old = clock.now(), get(app_id)
    fields = {"description": description.strip(), "parameters": parameters, "enabled": enabled, "updated_at": moment}
    with db.write() as tx:
        if old is None:
            tx.execute(mcp_servers.insert().values(app_id=app_id, created_at=moment, **fields, **_new_code()))
        else:
            tx.execute(mcp_servers.update().where(mcp_servers.c.app_id == app_id).values(**fields))
    return get(app_id)


def renew(app_id: str) -> Row:
    """Give a server a new code: the old address is dead at once."""
    if get(app_id) is None:
        raise NotFound("This app is not an MCP server.")
    with db.write() as tx:
        tx.execute(mcp_servers.update().where(mcp_servers.c.app_id == app_id).values(
            updated_at=clock.now(), **_new_code()))
    return get(app_id)


def delete(app_id: str) -> None:
    """End an app's server."""
    with db.write() as tx:
        tx.execute(mcp_servers.delete().where(mcp_servers.c.app_id == app_id))


def code(row: Row) -> str:
    """Return the secret part of a server's address."""
    return secrets.decrypt(row.code)


def by_code(given: str) -> tuple[Row, Row]:
    """Return the server of a code and its app; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(mcp_servers).where(mcp_servers.c.code_hash == _hash(given))).first()
    if row is None or not row.enabled:
        raise NotFound("There is no MCP server at this address.")
    return row, app.get(row.app_id)


def tool(server: Row, row: Row) -> dict[str, Any]:
    """Return an app as MCP's description of a tool; raise BadRequest if it was never published."""
    definition = prepared.published(row)
    properties: dict[str, Any] = {}
    needed: list[str] = []
    if row.mode in run.CHAT_MODES:
        properties["query"] = {"type": "string", "description": "The message to the app"}
        needed.append("query")
        properties["conversation_id"] = {
            "type": "string", "description": "Goes on with a conversation; the one named in an earlier answer"}
    for field in definition.fields:
        if field.get("type") in _FILES and not field.get("required"):
            continue  # a client that speaks MCP has no upload; a required file is told and refused by the app
        name = field["variable"]
        rule: dict[str, Any] = {"type": _TYPES.get(str(field.get("type")), "string"),
                                "description": (server.parameters or {}).get(name) or field.get("label") or name}
        if field.get("type") == "select":
            rule["enum"] = [str(option) for option in field.get("options") or []]
        if field.get("default") not in (None, ""):
            rule["default"] = field["default"]
        properties[name] = rule
        if field.get("required"):
            needed.append(name)
    return {"name": tool_name(row), "title": row.name, "description": server.description or row.description or row.name,
            "inputSchema": {"type": "object", "properties": properties, "required": needed}}


def tool_name(row: Row) -> str:
    """Return an app's name as clients take it; one without Latin letters is named by its id."""
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", row.name).strip("_")[:60]
    return name if re.search(r"[a-zA-Z]", name) else f"app_{row.id.replace('-', '')[-8:]}"


def call(row: Row, arguments: dict[str, Any], base_url: str) -> Answer:
    """Run an app with a call's arguments and wait for its answer."""
    inputs = dict(arguments)
    query = conversation = ""
    if row.mode in run.CHAT_MODES:
        query = str(inputs.pop("query", "") or "")
        conversation = str(inputs.pop("conversation_id", "") or "")
    start = run.chat if row.mode in run.CHAT_MODES else run.completion if row.mode == "completion" else run.workflow
    try:
        live = start(Order(row, user.of(row.id, "mcp", "mcp"), inputs, query=query, base_url=base_url,
                           conversation_id=run.conversation_of(conversation)))
    except SparrowError as error:
        if error.status >= 500:
            raise
        return Answer(error.message, failed=True)
    live.wait()
    if live.error is not None:
        return Answer(live.error.get("message") or "The app failed.", failed=True)
    result = live.result or {}
    if row.mode == "workflow":
        data = result.get("data") or {}
        if data.get("status") == "paused":
            return Answer("The workflow waits for a person.", failed=True)
        if data.get("status") not in ("succeeded", "partial-succeeded"):
            return Answer(data.get("error") or "The workflow was stopped.", failed=True)
        return Answer("", data.get("outputs") or {})
    shaped = {"conversation_id": result["conversation_id"]} if result.get("conversation_id") else None
    return Answer(str(result.get("answer") or ""), shaped)


def _new_code() -> dict[str, str]:
    new = ids.token("", 32)
    return {"code": secrets.encrypt(new), "code_hash": _hash(new)}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
