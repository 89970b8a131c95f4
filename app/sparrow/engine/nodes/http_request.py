"""The HTTP request node."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from sparrow.engine import jsonrepair, template
from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.ports import HttpPart, HttpRequest, HttpResponse, PortError
from sparrow.engine.values import MISSING

_METHODS = frozenset(("get", "post", "put", "patch", "delete", "head"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form",
            "application/yaml", "application/x-yaml", "application/graphql")


def _headers(source: str, context: Context) -> list[tuple[str, str]]:
    """Read `key: value` lines; a line without colon has an empty value, the last of a name wins."""
    found: dict[str, str] = {}
    for line in template.render(source, context.pool).splitlines():
        if line.strip():
            key, _, value = line.partition(":")
            found[key.strip()] = value.strip()
    return list(found.items())


def _params(source: str, context: Context) -> list[tuple[str, str]]:
    """Read `key: value` lines before they are filled, so that a value may have several lines; names may repeat."""
    found = []
    for line in source.splitlines():
        key, _, value = line.partition(":")
        if key.strip():
            found.append((template.render(key.strip(), context.pool), template.render(value.strip(), context.pool)))
    return found


class HttpRequestNode(Node):
    """Sends a request; other statuses than 2xx are errors only where a strategy or retries are set."""

    def setup(self, data: dict[str, Any]) -> None:
        """Read method and body."""
        self.method = str(data.get("method") or "get").lower()
        body = data.get("body") or {}
        self.body_kind = str(body.get("type") or "none")
        items = body.get("data")
        if isinstance(items, str):
            items = [{"key": "", "type": "text", "value": items}] if items else []
        self.body = list(items or ())

    def run(self, context: Context) -> Result:
        """Return status_code, body, headers, files."""
        request = self._request(context)
        process = {"request": self._log(request)}
        if self.method not in _METHODS:
            raise NodeError(f"Invalid http method {self.method}", "InvalidHttpMethodError", process_data=process)
        if not any(name.lower() == "accept" for name, _ in request.headers):
            request.headers.insert(0, ("Accept", "*/*"))
        try:
            response = context.need("http").request(request, context.cancel)
            if (self.strategy or self.max_retries) and not 200 <= response.status < 400:
                raise PortError(f"Reached maximum retries for URL {request.url}", "HttpRequestNodeError")
        except PortError as error:
            raise NodeError(str(error), error.error_type, process_data=process) from None
        files = self._files(response, context)
        outputs = {"status_code": response.status, "body": "" if files else _decode(response),
                   "headers": response.headers, "files": files}
        return Result(outputs, {}, process)

    def _request(self, context: Context) -> HttpRequest:
        url = template.render(str(self.data.get("url") or ""), context.pool).strip()
        if not url:
            raise NodeError("url is required", "InvalidURLError")
        if not url.startswith(("http://", "https://")):
            raise NodeError("url should start with http:// or https://", "InvalidURLError")
        headers = _headers(str(self.data.get("headers") or ""), context)
        for name, _ in headers:
            if not _TOKEN.fullmatch(name):
                raise NodeError(f"Illegal header name {name.encode()!r}", "LocalProtocolError")
        self._authorize(headers, context)
        timeout = self.data.get("timeout") or {}
        verify = self.data.get("ssl_verify")
        request = HttpRequest(
            self.method.upper(), url, headers, _params(str(self.data.get("params") or ""), context),
            connect_timeout=float(timeout.get("connect") or 10), read_timeout=float(timeout.get("read") or 600),
            write_timeout=float(timeout.get("write") or 600), verify=verify is not False,
        )
        self._fill_body(request, context)
        return request

    def _authorize(self, headers: list[tuple[str, str]], context: Context) -> None:
        settings = self.data.get("authorization") or {}
        if settings.get("type") != "api-key":
            return
        config = settings.get("config") or {}
        key = template.render(str(config.get("api_key") or ""), context.pool)
        if not key.strip():
            raise NodeError("API key is required for authorization but was empty. Please provide a valid API key.",
                            "AuthorizationConfigError")
        kind, name = config.get("type"), config.get("header") or "Authorization"
        if kind == "bearer":
            key = f"Bearer {key}"
        elif kind == "basic":
            key = "Basic " + (base64.b64encode(key.encode()).decode() if ":" in key else key)
        headers[:] = [item for item in headers if item[0].lower() != name.lower()]
        headers.append((name, key))

    def _fill_body(self, request: HttpRequest, context: Context) -> None:
        kind = self.body_kind
        if kind == "none":
            return
        if kind in ("raw-text", "json", "binary"):
            if len(self.body) != 1:
                raise NodeError(f"{kind} body type should have exactly one item", "RequestBodyError")
            item = self.body[0]
            if kind == "binary":
                file = context.pool.get(item.get("file") or ())
                if not isinstance(file, File):
                    raise NodeError(f"cannot fetch file with selector {item.get('file')}", "FileFetchError")
                request.body = context.need("files").read(file)
                self._content_type(request, file.mime_type or "application/octet-stream")
                return
            text = template.render(str(item.get("value") or ""), context.pool)
            if kind == "json":
                try:
                    value = jsonrepair.loads(text) if text.strip() else ""
                except ValueError:
                    raise NodeError(f"Failed to parse JSON: {text}", "RequestBodyError") from None
                request.body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
                self._content_type(request, "application/json")
            else:
                request.body = text.encode()
                self._content_type(request, "text/plain")
            return
        if kind == "x-www-form-urlencoded":
            request.form = list({template.render(str(item.get("key") or ""), context.pool):
                                 template.render(str(item.get("value") or ""), context.pool)
                                 for item in self.body}.items())
            return
        request.parts = []
        placed = False
        for item in self.body:
            name = template.render(str(item.get("key") or ""), context.pool)
            if item.get("type") != "file":
                request.parts.append(HttpPart(name, template.render(str(item.get("value") or ""), context.pool)))
                continue
            value = context.pool.get(item.get("file") or ())
            if value is MISSING:
                raise NodeError(f"cannot fetch file with selector {item.get('file')}", "FileFetchError")
            for file in value if isinstance(value, list) else [value]:
                if isinstance(file, File):
                    placed = True
                    request.parts.append(HttpPart(name, filename=file.filename or "file",
                                                  content=context.need("files").read(file),
                                                  mime_type=file.mime_type or "application/octet-stream"))
        if not placed:
            # Dify adds this empty part to keep its client on multipart; servers have seen it for years.
            request.parts.append(HttpPart("__multipart_placeholder__", content=b"",
                                          mime_type="application/octet-stream"))

    @staticmethod
    def _content_type(request: HttpRequest, kind: str) -> None:
        if not any(name.lower() == "content-type" for name, _ in request.headers):
            request.headers.append(("Content-Type", kind))

    def _log(self, request: HttpRequest) -> str:
        """Return the request as text for the trace, its key as stars."""
        parts = urlsplit(request.url)
        path = parts.path or "/"
        query = urlencode(request.params) or parts.query
        lines = [f"{request.method} {path}{'?' + query if query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
        body = self._log_body(request)
        secret = (((self.data.get("authorization") or {}).get("config") or {}).get("header")
                  or "Authorization").lower()
        kind = None
        if request.form is not None:
            kind = "application/x-www-form-urlencoded"
        elif request.parts is not None:
            kind = "multipart/form-data; boundary=----WebKitFormBoundary0000000000000000"
        for name, value in request.headers:
            if name.lower() == "content-type" and kind is None:
                kind = value
            elif name.lower() != "content-type":
                lines.append(f"{name}: {'*' * len(value) if name.lower() == secret else value}")
        if kind:
            lines.append(f"Content-Type: {kind}")
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def _log_body(self, request: HttpRequest) -> str:
        if request.form is not None:
            return urlencode(request.form)
        if request.parts is not None:
            edge = "------WebKitFormBoundary0000000000000000"
            out = []
            for part in request.parts:
                if part.name == "__multipart_placeholder__":
                    continue
                named = f'; filename="{part.filename}"' if part.filename else ""
                content = f"[file_content: {len(part.content)} bytes]" if part.content is not None else part.value
                out.append(f'{edge}\r\nContent-Disposition: form-data; name="{part.name}"{named}\r\n\r\n{content}\r\n')
            return "".join(out) + f"{edge}--\r\n"
        if request.body is None:
            return ""
        if self.body_kind == "json":
            return json.dumps(json.loads(request.body), ensure_ascii=False)
        if self.body_kind == "binary":
            return f"[binary content: {len(request.body)} bytes]"
        return request.body.decode("utf-8", "replace")

    def _files(self, response: HttpResponse, context: Context) -> list[File]:
        """Keep the reply as a file if it is one."""
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        disposition = response.headers.get("content-disposition", "")
        if "attachment" not in disposition and (not kind or kind.startswith(_TEXTUAL) or kind.endswith(
                ("+json", "+xml"))):
            return []
        if "attachment" not in disposition and not kind.startswith(("image/", "audio/", "video/", "application/")):
            return []
        if kind == "application/octet-stream" and b"\0" not in response.content[:1024] and (
                "attachment" not in disposition):
            return []
        match = re.search(r'filename\*?="?(?:UTF-8\'\')?([^";]+)', disposition)
        name = match[1] if match else urlsplit(response.url).path.rsplit("/", 1)[-1] or None
        if name and "." not in name:
            name += mimetypes.guess_extension(kind) or ".bin"
        return [context.need("files").save(response.content, name, kind or None)]


def _decode(response: HttpResponse) -> str:
    match = re.search(r"charset=([\w-]+)", response.headers.get("content-type", ""))
    for encoding in (match[1] if match else "utf-8", "utf-8", "gb18030"):
        try:
            return response.content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return response.content.decode("utf-8", "replace")
