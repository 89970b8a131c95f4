"""Tools as the admin manages them: OpenAPI documents, MCP servers, workflows as tools, credentials of built-in ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from sparrow import clock, ids
from sparrow.apps import app, surroundings, workflow_tool
from sparrow.engine.ports import Cancel, PortError, ToolRef
from sparrow.errors import BadRequest, Conflict, NotFound
from sparrow.storage import db, secrets
from sparrow.storage.tables.tools import tool_credentials as credentials
from sparrow.storage.tables.tools import tool_providers as providers
from sparrow.tools import builtin, catalog, openapi, store
from sparrow.tools import port as ports
from sparrow.tools.mcp import client, stdio
from sparrow.tools.types import Tool, Use

_AUTH = ("none", "api_key_header", "api_key_query")
_PREFIXES = ("basic", "bearer", "custom")
_TRANSPORTS = ("auto", "streamable_http", "sse", "stdio")


def get(kind: str, provider_id: str) -> Row:
    """Return a provider's row by its id or by what app files call it; raise NotFound."""
    row = store.find(kind, provider_id)
    if row is None:
        raise NotFound("This tool does not exist.")
    return row


def delete(kind: str, provider_id: str) -> None:
    """Delete a provider; apps that use it fail until they are changed."""
    row = get(kind, provider_id)
    with db.write() as tx:
        tx.execute(providers.delete().where(providers.c.id == row.id))


def tools(row: Row) -> list[Tool]:
    """Return a provider's tools; raise PortError or BadRequest for one that cannot be used any more."""
    return catalog.tools_of(row, workflow_tool.Runner())


# --- OpenAPI documents -----------------------------------------------------------------------------------------

def read(schema: str, base_url: str = "", source: str = "") -> openapi.Document:
    """Read a document, without storing it; raise BadRequest."""
    return openapi.parse(schema, base_url=base_url, source=source)


def fetch(address: str) -> str:
    """Return the document behind an address; raise BadRequest."""
    if not address.startswith(("http://", "https://")):
        raise BadRequest("url: must begin with http:// or https://", params="url")
    try:
        return surroundings.get(address, openapi.MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("url: this is not a text", params="url") from None
    except BadRequest as error:
        raise BadRequest(f"url: {error.message.replace('YAML from URL', 'the document')}", params="url") from None


def save_api(provider_id: str | None, *, name: str, schema: str, auth: dict[str, Any], **config: Any) -> Row:
    """Store an OpenAPI document, or change one; `auth` is Dify's credentials object, its key may be masked."""
    name = _name(name)
    openapi.parse(schema, base_url=config.get("base_url") or "", source=config.get("source") or "")
    old = get("api", provider_id) if provider_id else None
    secret = _auth(auth, store.secret(old) if old is not None else {})
    return _save(old, "api", name, name, {**config, "schema": schema}, secret)


def shown_auth(row: Row) -> dict[str, Any]:
    """Return a document's authorisation, its key masked."""
    secret = store.secret(row)
    if secret.get("api_key_value"):
        secret["api_key_value"] = secrets.mask(secret["api_key_value"])
    return secret or {"auth_type": "none"}


def try_api(*, schema: str, auth: dict[str, Any], tool_name: str, parameters: dict[str, Any], base_url: str = "",
            source: str = "", provider_id: str | None = None) -> str:
    """Call an operation of a document that may not be stored yet; return its text. Raise PortError.

    A masked key is the stored one, and is only sent where the stored document would send it.
    """
    document = openapi.parse(schema, base_url=base_url, source=source)
    operation = next((one for one in document.operations if one.name == tool_name), None)
    if operation is None:
        raise BadRequest(f"tool_name: the document has no operation “{tool_name}”", params="tool_name")
    stored: dict[str, Any] = {}
    if provider_id:
        old = get("api", provider_id)
        if store.document(old).base_url == document.base_url:
            stored = store.secret(old)
    tool = catalog.operation_tool(operation, _auth(auth, stored))
    return _try(tool, parameters)


def _auth(given: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    kind = {"api_key": "api_key_header", "": "none"}.get(str(given.get("auth_type") or ""), given.get("auth_type"))
    if kind not in _AUTH:
        raise BadRequest(f"credentials.auth_type: must be one of {', '.join(_AUTH)}", params="credentials.auth_type")
    if kind == "none":
        return {"auth_type": "none"}
    key = str(given.get("api_key_value") or "").strip()
    if "******" in key or not key:
        key = str(stored.get("api_key_value") or "")
    if not key:
        raise BadRequest("credentials.api_key_value: enter the key", params="credentials.api_key_value")
    found = {"auth_type": kind, "api_key_value": key}
    if kind == "api_key_query":
        return found | {"api_key_query_param": str(given.get("api_key_query_param") or "key").strip()}
    prefix = str(given.get("api_key_header_prefix") or "custom").lower()
    header = str(given.get("api_key_header") or "Authorization").strip()
    if prefix not in _PREFIXES:
        raise BadRequest(f"credentials.api_key_header_prefix: must be one of {', '.join(_PREFIXES)}",
                         params="credentials.api_key_header_prefix")
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", header):
        raise BadRequest("credentials.api_key_header: this is no name of a header",
                         params="credentials.api_key_header")
    return found | {"api_key_header": header, "api_key_header_prefix": prefix}


# --- MCP servers -----------------------------------------------------------------------------------------------

def save_mcp(provider_id: str | None, *, name: str, identifier: str, transport: str = "auto", url: str = "",
             headers: dict[str, str] | None = None, program: str = "", timeout: float = 30.0,
             read_timeout: float = 300.0, **config: Any) -> Row:
    """Store an MCP server after its tools were listed, or change one. A masked URL or header is the stored one."""
    name = _name(name)
    if not re.fullmatch(r"[a-z0-9_-]{1,24}", identifier):
        raise BadRequest("server_identifier: 1 to 24 of a-z, 0-9, _ and -", params="server_identifier")
    if transport not in _TRANSPORTS:
        raise BadRequest(f"transport: must be one of {', '.join(_TRANSPORTS)}", params="transport")
    for field, value in (("timeout", timeout), ("read_timeout", read_timeout)):
        if not 0 < value <= 3600:
            raise BadRequest(f"{field}: must be above 0 and at most 3600 seconds", params=field)
    old = get("mcp", provider_id) if provider_id else None
    secret: dict[str, Any] = {}
    if transport == "stdio":
        if program not in programs():
            raise BadRequest(f"program: “{program}” is not in config/mcp.json of this box", params="program")
    else:
        secret = _address(url, headers, store.secret(old) if old is not None else {})
    config = {**config, "transport": transport, "program": program, "timeout": timeout, "read_timeout": read_timeout}
    trial = _Trial(name, {**config}, store.sealed(secret) if secret else None)
    config["tools"] = _list(trial)
    return _save(old, "mcp", identifier, name, config, secret)


def refresh_mcp(provider_id: str) -> Row:
    """Ask a server for its tools again."""
    row = get("mcp", provider_id)
    return _save(row, "mcp", row.identifier, row.name, {**row.config, "tools": _list(row)}, store.secret(row))


def shown_mcp(row: Row) -> dict[str, Any]:
    """Return {url, headers} with what may be secret masked."""
    secret = store.secret(row)
    url = secret.get("url") or ""
    base, mark, _ = url.partition("?")
    return {"url": base + (f"{mark}******" if mark else ""),
            "headers": {name: secrets.mask(value) for name, value in (secret.get("headers") or {}).items()}}


def programs() -> list[str]:
    """Return the names of the programs that the box's owner allows as MCP servers."""
    try:
        return sorted(stdio.configured())
    except PortError as error:
        raise BadRequest(str(error)) from error


class _Trial:
    """What `catalog.server` reads of a row, before there is one."""

    def __init__(self, name: str, config: dict[str, Any], secret: str | None):
        self.name, self.config, self.secret = name, config, secret


def _list(row: Any) -> list[dict[str, Any]]:
    try:
        return client.tools(catalog.server(row), Cancel())
    except PortError as error:
        raise BadRequest(f"The server's tools could not be listed: {error}", code="mcp_unreachable") from error


def _address(url: str, headers: dict[str, str] | None, stored: dict[str, Any]) -> dict[str, Any]:
    url = url.strip()
    if "******" in url and stored.get("url", "").partition("?")[0] == url.partition("?")[0]:
        url = stored["url"]
    if not url.startswith(("http://", "https://")) or any(character.isspace() for character in url):
        raise BadRequest("server_url: must begin with http:// or https://", params="server_url")
    old, found = stored.get("headers") or {}, {}
    same = stored.get("url", "").partition("?")[0] == url.partition("?")[0]
    for name, value in (headers or {}).items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name) or re.search(r"[\r\n\x00]", value):
            raise BadRequest(f"headers: “{name[:50]}” cannot be sent as a header", params="headers")
        if "******" in value:
            # A stored secret goes to the stored place only.
            if not same or name not in old:
                raise BadRequest(f"headers: enter the value of {name} again", params="headers")
            value = old[name]
        found[name] = value
    return {"url": url, "headers": found}


# --- workflows as tools ----------------------------------------------------------------------------------------

def save_workflow(provider_id: str | None, *, app_id: str, name: str, label: str, description: str,
                  parameters: list[dict[str, Any]], **config: Any) -> Row:
    """Offer a published workflow as a tool, or change how. `parameters`: {name, description, form: llm | form}."""
    if not re.fullmatch(r"[a-zA-Z0-9_]{1,64}", name):
        raise BadRequest("name: 1 to 64 of a-z, A-Z, 0-9 and _", params="name")
    label = _name(label or name, "label")
    row = app.get(app_id)
    if row.mode != "workflow":
        raise BadRequest("workflow_app_id: only workflows can be tools, not chats", params="workflow_app_id")
    if row.published_id is None:
        raise BadRequest("workflow_app_id: publish the workflow first", params="workflow_app_id")
    try:
        known = {item["variable"] for item in workflow_tool.Runner().parameters(app_id)}
    except PortError as error:
        raise BadRequest(str(error), params="workflow_app_id") from error
    for item in parameters:
        if item["name"] not in known:
            raise BadRequest(f"parameters: the workflow has no input “{item['name']}”", params="parameters")
    old = get("workflow", provider_id) if provider_id else None
    if old is not None and old.app_id != app_id:
        raise BadRequest("workflow_app_id: cannot be changed", params="workflow_app_id")
    return _save(old, "workflow", name, label,
                 {**config, "label": label, "description": description, "parameters": parameters}, {}, app_id)


# --- credentials of built-in tools -----------------------------------------------------------------------------

def find_credentials(provider: str) -> list[Row]:
    """Return a built-in provider's credentials, the default one first."""
    family = _family(provider)
    with db.read() as tx:
        return tx.execute(sa.select(credentials).where(credentials.c.provider == family.name).order_by(
            credentials.c.is_default.desc(), credentials.c.created_at)).all()


def save_credential(provider: str, credential_id: str | None, *, name: str, values: dict[str, Any],
                    default: bool = False) -> Row:
    """Store a credential, or change one; a masked value stays as it was. The first one is the default."""
    family = _family(provider)
    if not family.credentials:
        raise BadRequest("These tools need no credential.", params="provider")
    known = {parameter.name: parameter for parameter in family.credentials}
    if unknown := set(values) - set(known):
        raise BadRequest(f"credentials: there is no field {', '.join(sorted(unknown))}", params="credentials")
    rows = find_credentials(provider)
    old = next((row for row in rows if row.id == credential_id), None)
    if credential_id and old is None:
        raise NotFound("This credential does not exist.")
    before = store.secret(old) if old is not None else {}
    kept = {key: before.get(key) if isinstance(value, str) and "******" in value else value
            for key, value in values.items() if value not in (None, "")}
    for key, parameter in known.items():
        if parameter.required and parameter.default is None and kept.get(key) in (None, ""):
            raise BadRequest(f"credentials.{key}: must not be empty", params=f"credentials.{key}")
    moment = clock.now()
    fields = {"name": _name(name)[:120], "secret": store.sealed(kept), "updated_at": moment, "shown": {
        key: secrets.mask(str(value)) if known[key].type == "secret" else value for key, value in kept.items()}}
    first = default or not rows or (old is not None and old.is_default)
    new_id = old.id if old is not None else ids.new_id()
    with _unique(), db.write() as tx:
        if first:
            tx.execute(credentials.update().where(credentials.c.provider == family.name).values(is_default=False))
        if old is None:
            tx.execute(credentials.insert().values(id=new_id, provider=family.name, created_at=moment,
                                                   is_default=first, **fields))
        else:
            tx.execute(credentials.update().where(credentials.c.id == new_id).values(is_default=first, **fields))
        return tx.execute(sa.select(credentials).where(credentials.c.id == new_id)).first()


def delete_credential(provider: str, credential_id: str) -> None:
    """Delete a credential; the oldest one left becomes the default."""
    rows = find_credentials(provider)
    gone = next((row for row in rows if row.id == credential_id), None)
    if gone is None:
        raise NotFound("This credential does not exist.")
    left = [row for row in rows if row.id != credential_id]
    with db.write() as tx:
        tx.execute(credentials.delete().where(credentials.c.id == credential_id))
        if gone.is_default and left:
            tx.execute(credentials.update().where(credentials.c.id == left[0].id).values(is_default=True))


def _family(provider: str) -> builtin.Provider:
    found = builtin.find(provider)
    if found is None:
        raise NotFound("This tool does not exist.")
    return found


# --- trying a tool ---------------------------------------------------------------------------------------------

def try_tool(ref: ToolRef, parameters: dict[str, Any]) -> str:
    """Run a tool once, outside of any app; return its text. Raise PortError."""
    port = surroundings.tools()
    return ports.told(port.invoke(ref, parameters, parameters, Cancel()))


def _try(tool: Tool, parameters: dict[str, Any]) -> str:
    from sparrow.tools import types

    values = {}
    for parameter in tool.parameters:
        value = parameters.get(parameter.name, parameter.default)
        if parameter.required and value in (None, ""):
            raise PortError(f"The parameter {parameter.name} is empty.", "ToolParameterValidationError")
        values[parameter.name] = types.fit(parameter, value)
    found = tool.run(values, Use(Cancel()))
    return found if isinstance(found, str) else ports.told(found)


def _name(name: str, field: str = "name") -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequest(f"{field}: 1 to 100 characters", params=field)
    return name


def _save(old: Row | None, kind: str, identifier: str, name: str, config: dict[str, Any], secret: dict[str, Any],
          app_id: str | None = None) -> Row:
    moment = clock.now()
    fields = {"identifier": identifier, "name": name, "config": config, "updated_at": moment, "app_id": app_id,
              "secret": store.sealed(secret) if secret else None}
    with _unique(), db.write() as tx:
        if old is None:
            provider_id = ids.new_id()
            tx.execute(providers.insert().values(id=provider_id, kind=kind, created_at=moment, **fields))
        else:
            provider_id = old.id
            tx.execute(providers.update().where(providers.c.id == provider_id).values(**fields))
        return tx.execute(sa.select(providers).where(providers.c.id == provider_id)).first()


@contextmanager
def _unique() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("There is one of this name already.", params="name") from error
