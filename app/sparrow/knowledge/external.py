"""External knowledge: servers of Dify's contract, `POST {endpoint}/retrieval` with a bearer key, and what they find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from sparrow import clock, ids
from sparrow.errors import BadRequest, Conflict, NotFound
from sparrow.storage import db, secrets
from sparrow.storage.tables import knowledge as t

if TYPE_CHECKING:
    from sparrow.engine.ports import HttpClient, HttpResponse

    from .retrieve.search import Passage
    from .retrieve.settings import RetrievalSettings

TIMEOUT = 20.0
MAX_NAME = 40
_MAX_REPLY = 16 << 20
_apis = t.external_knowledge_apis


class ExternalError(BadRequest):
    """The external knowledge server failed; the message says how."""

    code = "external_knowledge_failed"


def find() -> list[dict[str, Any]]:
    """Return the servers by name, each with the bases that use it as `bases` ({id, name})."""
    d = t.datasets.c
    with db.read() as tx:
        rows = tx.execute(_apis.select().order_by(_apis.c.name, _apis.c.id)).mappings().all()
        used: dict[str, list[dict[str, str]]] = {}
        for api_id, dataset_id, name in tx.execute(sa.select(d.external_knowledge_api_id, d.id, d.name).where(
                d.external_knowledge_api_id.is_not(None)).order_by(d.name)):
            used.setdefault(api_id, []).append({"id": dataset_id, "name": name})
    return [{**row, "bases": used.get(row["id"], [])} for row in rows]


def get(api_id: str) -> dict[str, Any]:
    """Return a server's row; raise NotFound."""
    with db.read() as tx:
        row = tx.execute(_apis.select().where(_apis.c.id == api_id)).mappings().first()
    if row is None:
        raise NotFound("External knowledge API not found.")
    return dict(row)


def create(http: HttpClient, name: str, endpoint: str, api_key: str, description: str = "") -> dict[str, Any]:
    """Store a server after calling it once; raise BadRequest, or ExternalError where it cannot be used."""
    if not api_key.strip():
        raise BadRequest("api_key is required.", params="api_key")
    now = clock.now()
    row = {"id": ids.new_id(), "name": _name(name), "description": description.strip(), "endpoint": _endpoint(endpoint),
           "api_key": secrets.encrypt(api_key.strip()), "created_at": now, "updated_at": now}
    _try(http, row)
    with db.write() as tx:
        tx.execute(_apis.insert(), row)
    return row


def update(http: HttpClient, api_id: str, *, name: str | None = None, endpoint: str | None = None,
           api_key: str | None = None, description: str | None = None) -> dict[str, Any]:
    """Change a server, after calling it once where the address or the key is new; an empty key keeps the old one."""
    row = get(api_id)
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = _name(name)
    if description is not None:
        changes["description"] = description.strip()
    if endpoint is not None:
        changes["endpoint"] = _endpoint(endpoint)
    if api_key and api_key.strip():
        changes["api_key"] = secrets.encrypt(api_key.strip())
    row = {**row, **changes, "updated_at": clock.now()}
    if "endpoint" in changes or "api_key" in changes:
        _try(http, row)
    with db.write() as tx:
        tx.execute(_apis.update().where(_apis.c.id == api_id).values(**changes, updated_at=row["updated_at"]))
    return row


def delete(api_id: str) -> None:
    """Forget a server; raise Conflict while a base uses it."""
    get(api_id)
    with db.write() as tx:
        if tx.execute(sa.select(t.datasets.c.id).where(t.datasets.c.external_knowledge_api_id == api_id)).first():
            raise Conflict("Knowledge bases use this server. Delete them first.", code="external_api_in_use")
        tx.execute(_apis.delete().where(_apis.c.id == api_id))


def retrieve(http: HttpClient, base: dict[str, Any], query: str, settings: RetrievalSettings) -> list[Passage]:
    """Return the passages an external base has for a question; raise ExternalError.

    `http` is a guarded client: the address is the user's, and no server may lead to an address of the box itself.
    """
    from .retrieve.search import Passage

    api = get(base["external_knowledge_api_id"] or "")
    chosen = base["external_retrieval_model"] or {}
    body = {"knowledge_id": base["external_knowledge_id"], "query": query, "retrieval_setting": {
        "top_k": chosen.get("top_k") or settings.top_k,
        "score_threshold": chosen.get("score_threshold") or 0 if chosen.get("score_threshold_enabled") else 0}}
    if settings.conditions:
        body["metadata_condition"] = settings.conditions
    reply = _post(http, api, body)
    if reply.status != 200:
        raise ExternalError(f"{api['name']} answered {reply.status}{_reason(reply.content)}.")
    try:
        records = msgspec.json.decode(reply.content)["records"]
        return [Passage(
            "", base["id"], base["name"], "", str(record.get("title") or ""), str(record.get("content") or ""), None,
            float(record.get("score") or 0), number, [], "", "", [], [], "external", len(record.get("content") or ""),
            0, 0, "", None, record.get("metadata") or None) for number, record in enumerate(records, start=1)]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExternalError(f"{api['name']} answered something that is not a list of records.") from error


def _try(http: HttpClient, api: dict[str, Any]) -> None:
    """Call a server as Dify does when it is added: without a question, so any answer but these means it is there."""
    status = _post(http, api, {}).status
    if status in (401, 403):
        raise ExternalError(f"{api['endpoint']} refused the API key.", params="api_key")
    if status == 404 or status >= 502:
        raise ExternalError(f"{api['endpoint']}/retrieval answered {status}: there is no external knowledge server "
                            "at this address.", params="endpoint")


def _post(http: HttpClient, api: dict[str, Any], body: dict[str, Any]) -> HttpResponse:
    from sparrow.engine.ports import Cancel, HttpRequest, PortError

    request = HttpRequest(
        "POST", f"{api['endpoint']}/retrieval", body=msgspec.json.encode(body), connect_timeout=10.0,
        read_timeout=TIMEOUT, max_text=_MAX_REPLY, max_binary=_MAX_REPLY, headers=[
            ("Content-Type", "application/json"), ("Authorization", f"Bearer {secrets.decrypt(api['api_key'])}")])
    try:
        return http.request(request, Cancel())
    except PortError as error:
        raise ExternalError(f"{api['name']} cannot be reached: {error}", params="endpoint") from error


def _reason(content: bytes) -> str:
    """Return what the server says of its error, as ": reason"; empty where it says nothing readable."""
    try:
        said = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return ""
    text = (said.get("error_msg") or said.get("message")) if isinstance(said, dict) else None
    return f": {text[:200].rstrip('.')}" if isinstance(text, str) and text else ""


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise BadRequest(f"Name must be between 1 to {MAX_NAME} characters.", params="name")
    return name


def _endpoint(endpoint: str) -> str:
    endpoint = endpoint.strip().rstrip("/").removesuffix("/retrieval")
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest("The address must begin with http:// or https://.", params="endpoint")
    return endpoint
