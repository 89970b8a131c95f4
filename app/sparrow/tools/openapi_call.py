"""A call of an operation of an OpenAPI document."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from sparrow.engine.files import File
from sparrow.engine.ports import HttpPart, HttpRequest, HttpResponse, PortError, ToolMessage
from sparrow.tools.openapi import Operation, path_of
from sparrow.tools.outbound import Client
from sparrow.tools.types import Use, failure

_SECONDS = 60.0
_TEXTUAL = ("text/", "application/xml", "application/javascript", "application/yaml")


def request(operation: Operation, values: dict[str, Any], auth: dict[str, Any], use: Use) -> HttpRequest:
    """Return the request of a call; `auth` is as Dify stores it: auth_type, api_key_header, …"""
    found = HttpRequest(operation.method, path_of(operation.url, {
        item.parameter.name: _text(values.get(item.parameter.name)) for item in operation.fields
        if item.place == "path"}), read_timeout=_SECONDS, max_text=5 << 20)
    cookies, body, whole = [], {}, None
    for item in operation.fields:
        name = item.parameter.name
        value = values.get(name)
        if value is None or item.place == "path":
            continue
        if item.place == "query":
            many = value if isinstance(value, list) and item.explode else [value]
            found.params += [(name, _text(one)) for one in many]
        elif item.place == "header":
            found.headers.append((name, _header(name, _text(value))))
        elif item.place == "cookie":
            cookies.append(f"{name}={_header(name, _text(value))}")
        elif item.place == "body":
            body[name] = value
        else:
            whole = value
    if cookies:
        found.headers.append(("Cookie", "; ".join(cookies)))
    _authorise(found, auth)
    if operation.body and (body or whole is not None):
        _fill(found, operation.body, body if whole is None else whole, use)
    return found


def _authorise(found: HttpRequest, auth: dict[str, Any]) -> None:
    kind, key = auth.get("auth_type") or "none", str(auth.get("api_key_value") or "")
    if kind == "none":
        return
    if not key:
        raise failure("The tool's key is not set; enter it on the tools page.")
    if kind == "api_key_query":
        found.params.append((str(auth.get("api_key_query_param") or "key"), key))
        return
    name = str(auth.get("api_key_header") or "Authorization")
    prefix = str(auth.get("api_key_header_prefix") or "custom").lower()
    if prefix == "bearer":
        key = f"Bearer {key}"
    elif prefix == "basic":
        key = "Basic " + (base64.b64encode(key.encode()).decode() if ":" in key else key)
    found.headers = [pair for pair in found.headers if pair[0].lower() != name.lower()]
    found.headers.append((name, _header(name, key)))
    found.secret_headers = (name,)


def _fill(found: HttpRequest, media: str, body: Any, use: Use) -> None:
    if media == "application/x-www-form-urlencoded" and isinstance(body, dict):
        found.form = [(name, _text(one)) for name, value in body.items()
                      for one in (value if isinstance(value, list) else [value])]
    elif media == "multipart/form-data" and isinstance(body, dict):
        found.parts = [_part(name, one, use) for name, value in body.items()
                       for one in (value if isinstance(value, list) else [value])]
    else:
        plain = media == "text/plain"
        found.body = (_text(body) if plain else json.dumps(body, ensure_ascii=False)).encode()
        found.headers.append(("Content-Type", media))


def _part(name: str, value: Any, use: Use) -> HttpPart:
    if isinstance(value, File):
        if use.files is None:
            raise failure("Files can only be sent in a run.")
        return HttpPart(name, filename=value.filename or "file", content=use.files.read(value),
                        mime_type=value.mime_type)
    return HttpPart(name, _text(value))


def call(operation: Operation, values: dict[str, Any], auth: dict[str, Any], use: Use) -> Iterator[ToolMessage]:
    """Call an operation; yield its reply as text, and as JSON or a file where it is one. Raise PortError."""
    try:
        reply = Client().request(request(operation, values, auth, use), use.cancel)
    except PortError as error:
        raise failure(f"{operation.method} {operation.name}: {error}") from error
    text = reply.content.decode("utf-8", "replace")
    if reply.status >= 400:
        raise failure(f"Request failed with status code {reply.status} and {text[:2000]}")
    yield from messages(reply, text, use)


def messages(reply: HttpResponse, text: str, use: Use) -> Iterator[ToolMessage]:
    """Yield what a reply says, by its content type."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not reply.content:
        yield ToolMessage("text", "Empty response from the tool, please check your parameters and try again.")
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        yield ToolMessage("json", value, hidden=True)
        yield ToolMessage("text", json.dumps(value, ensure_ascii=False))
    elif kind and not kind.startswith(_TEXTUAL) and "json" not in kind and "xml" not in kind \
            and use.files is not None:
        name = reply.url.partition("?")[0].rpartition("/")[2] or "file"
        yield ToolMessage("file", use.files.save(reply.content, name, kind))
    else:
        yield ToolMessage("text", text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _header(name: str, text: str) -> str:
    if any(character in text for character in "\r\n\x00"):
        raise failure(f"The header {name} cannot have a line break.")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode().decode("latin-1")
    return text
