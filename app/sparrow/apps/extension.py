"""API extensions: an admin's own HTTP service that apps may ask (moderation, external data)."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow import clock, ids
from sparrow.errors import BadRequest, NotFound
from sparrow.storage import db, secrets
from sparrow.storage.tables.apps import extensions

_TIMEOUT = 10.0


def create(name: str, endpoint: str, api_key: str) -> Row:
    """Store an extension after it answered a ping."""
    _check(name, endpoint, api_key)
    _post(endpoint, api_key, "ping", {})
    extension_id = ids.new_id()
    with db.write() as tx:
        tx.execute(extensions.insert().values(id=extension_id, name=name, endpoint=endpoint,
                                              api_key=secrets.encrypt(api_key), created_at=clock.now()))
    return get(extension_id)


def find() -> list[Row]:
    """Return all extensions, oldest first."""
    with db.read() as tx:
        return tx.execute(sa.select(extensions).order_by(extensions.c.created_at)).all()


def get(extension_id: Any) -> Row:
    """Return one extension; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(sa.select(extensions).where(extensions.c.id == str(extension_id))).first()
    if row is None:
        raise NotFound("API extension not found")
    return row


def key(row: Row) -> str:
    """Return the key an extension expects."""
    return secrets.decrypt(row.api_key)


def delete(extension_id: str) -> None:
    """Delete an extension; apps that use it fail until they are changed."""
    get(extension_id)
    with db.write() as tx:
        tx.execute(extensions.delete().where(extensions.c.id == extension_id))


def call(extension_id: Any, point: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Ask an extension; return the object it answers."""
    row = get(extension_id)
    return _post(row.endpoint, key(row), point, parameters)


def external_data(app_id: str, tools: Any, inputs: dict[str, Any], query: str) -> dict[str, Any]:
    """Return the inputs with the variables that an app's external data tools fill."""
    filled = dict(inputs)
    for tool in tools if isinstance(tools, list) else []:
        if not isinstance(tool, dict) or not tool.get("enabled", True) or tool.get("type") != "api":
            continue
        name = str(tool.get("variable") or "")
        config = tool.get("config") if isinstance(tool.get("config"), dict) else {}
        reply = call(config.get("api_based_extension_id"), "app.external_data_tool.query", {
            "app_id": app_id, "tool_variable": name, "inputs": inputs, "query": query})
        if not isinstance(reply.get("result"), str):
            raise BadRequest(f"The API extension answered no text for the variable '{name}'.")
        filled[name] = reply["result"]
    return filled


def _post(endpoint: str, api_key: str, point: str, parameters: dict[str, Any]) -> dict[str, Any]:
    from sparrow.apps import surroundings

    reply = surroundings.post_json(endpoint, {"point": point, "params": parameters},
                                   {"Authorization": f"Bearer {api_key}"}, _TIMEOUT)
    try:
        value = msgspec.json.decode(reply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest("The API extension did not answer with a JSON object.")
    return value


def _check(name: str, endpoint: str, api_key: str) -> None:
    if not name.strip():
        raise BadRequest("name: must not be empty", params="name")
    if not endpoint.startswith(("http://", "https://")):
        raise BadRequest("api_endpoint: must begin with http:// or https://", params="api_endpoint")
    if len(api_key) < 5:
        raise BadRequest("api_key: must be at least 5 characters", params="api_key")
