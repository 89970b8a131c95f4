"""Triggers of workflows: which an app has, and webhooks, which start a run when their address is called."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from sparrow.apps import app as apps
from sparrow.apps import filebox, live, prepared, run, schedule, user, version
from sparrow.apps.order import Order
from sparrow.errors import BadRequest, NotFound, SparrowError

MAX_BODY = 10 << 20


def of_app(app_id: str, base: str = "") -> list[dict[str, Any]]:
    """Return an app's triggers: node_id, type, title, and webhook_url or next_run_at; those of the live version,
    of the draft while nothing is published (`status` is then disabled)."""
    app = apps.get(app_id)
    row = version.get(app.id, app.published_id) if app.published_id else version.current(app)
    found = []
    for node in schedule.nodes_of(row.content.get("graph") or {}):
        data = node["data"]
        item = {"node_id": node["id"], "trigger_type": data["type"], "title": data.get("title") or "",
                "status": "enabled" if app.published_id else "disabled", "webhook_url": None, "next_run_at": None}
        if data["type"] == "trigger-webhook":
            item["webhook_url"] = f"{base}/triggers/webhook/{webhook_id(app.id, node['id'])}"
        elif app.published_id:
            last = schedule.fired().get(f"{app.id}:{node['id']}", 0.0)
            try:
                item["next_run_at"] = int(schedule.next_after(data, max(last, row.created_at)))
            except ValueError as error:
                item["status"] = f"invalid: {error}"
        found.append(item)
    return found


def start(app: Row, node_id: str, values: dict[str, Any], kind: str) -> live.Live:
    """Run the live version from a trigger node with its values; `kind` is schedule or webhook."""
    order = Order(app, user.of(app.id, kind, "trigger"), values, source="trigger", start=node_id, trigger=kind)
    return run.workflow(order)


@dataclass(slots=True)
class Call:
    """A request to a webhook: names of headers in lower case, `files` by field (name, content, MIME type)."""

    method: str
    content_type: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes
    form: dict[str, str]
    files: dict[str, tuple[str, bytes, str]]


def webhook_id(app_id: str, node_id: str) -> str:
    """Return the unguessable end of a webhook's address. Only this box can make one, so none needs to be stored."""
    raw = f"{app_id}:{node_id}".encode()
    return base64.urlsafe_b64encode(filebox.mark(raw) + raw).decode().rstrip("=")


def call_webhook(identity: str, call: Call) -> tuple[int, Any]:
    """Start the workflow behind a webhook; return the status and body its node wants answered."""
    app, node = _webhook(identity)
    data = node["data"]
    if str(data.get("method") or "get").upper() != call.method:
        raise BadRequest(f"HTTP method mismatch. Expected {str(data.get('method') or 'get').upper()}, "
                         f"got {call.method}.", code="bad_request")
    wanted = str(data.get("content_type") or "").lower()
    if call.method in ("POST", "PUT", "PATCH") and data.get("body") and wanted and call.content_type != wanted:
        raise BadRequest(f"Content-type mismatch. Expected {wanted}, got {call.content_type or 'none'}.",
                         code="bad_request")
    if len(call.body) > MAX_BODY:
        raise SparrowError("The webhook's body is larger than 10 MiB.", code="request_entity_too_large", status=413)
    start(app, node["id"], _values(app, data, call), "webhook")
    text = str(data.get("response_body") or "")
    if not text:
        reply: Any = {"status": "success", "message": "Webhook processed successfully"}
    else:
        try:
            reply = json.loads(text)
        except ValueError:
            reply = {"message": text}
    status = data.get("status_code")
    return (status if isinstance(status, int) and 200 <= status <= 399 else 200), reply


def _webhook(identity: str) -> tuple[Row, dict[str, Any]]:
    missing = NotFound("There is no such webhook.", code="webhook_not_found")
    try:
        raw = base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4))
        mark, named = raw[:16], raw[16:]
        app_id, _, node_id = named.decode().partition(":")
    except ValueError:
        raise missing from None
    if not hmac.compare_digest(mark, filebox.mark(named)):
        raise missing
    app = apps.get(app_id)
    if not app.published_id:
        raise BadRequest("Workflow not published")
    content = prepared.published(app).content
    for node in schedule.nodes_of(content.get("graph") or {}):
        if node["id"] == node_id and node["data"]["type"] == "trigger-webhook":
            return app, node
    raise missing


def _values(app: Row, data: dict[str, Any], call: Call) -> dict[str, Any]:
    """Return the node's variables out of a request; raise BadRequest for what is missing or of a wrong type."""
    kind = str(data.get("content_type") or "application/json").lower()
    body: dict[str, Any] = dict(call.form)
    if kind == "application/json" and call.body:
        try:
            body = json.loads(call.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The body is not valid JSON: {error}", code="bad_request") from None
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object.", code="bad_request")
    elif kind == "text/plain":
        body = {"raw": call.body.decode("utf-8", "replace")}
    box = filebox.FileBox(app.id, user.of(app.id, "webhook", "trigger"))
    files = {name: box.save(content, filename, mime) for name, (filename, content, mime) in call.files.items()}
    if kind == "application/octet-stream" and call.body:
        files["raw"] = box.save(call.body, "body.bin", kind)
    values: dict[str, Any] = {"_webhook_raw": {
        "method": call.method, "headers": call.headers, "query_params": call.query, "body": body,
        "files": {name: file.to_dict() for name, file in files.items()}}}
    for item in data.get("headers") or ():
        name = str(item.get("name") or "")
        values[name.replace("-", "_")] = _wanted(item, call.headers.get(name.lower()), "header")
    for item in data.get("params") or ():
        values[str(item.get("name") or "")] = _wanted(item, call.query.get(str(item.get("name"))), "query parameter")
    for item in data.get("body") or ():
        name = str(item.get("name") or "")
        if kind in ("text/plain", "application/octet-stream"):
            found: Any = body.get("raw") if kind == "text/plain" else files.get("raw")
        else:
            found = files.get(name) if item.get("type") == "file" else body.get(name)
        values[name] = _wanted(item, found, "body field")
    values.pop("", None)
    return values


def _wanted(item: dict[str, Any], value: Any, place: str) -> Any:
    name, kind = item.get("name"), item.get("type") or "string"
    if value is None:
        if item.get("required"):
            raise BadRequest(f"Required {place} missing: {name}", code="bad_request")
        return None
    if isinstance(value, str) and kind in ("number", "boolean"):
        try:
            value = json.loads(value)
        except ValueError:
            raise BadRequest(f"The {place} {name} must be a {kind}.", code="bad_request") from None
    fits = {"number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool), "string": isinstance(value, str), "object": isinstance(value, dict)}
    if not fits.get(kind, isinstance(value, list) if kind.startswith("array") else True):
        raise BadRequest(f"The {place} {name} must be of type {kind}.", code="bad_request")
    return value
