"""The HTTP request node."""

from __future__ import annotations

import base64
import contextlib
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

_METHODS = frozenset(("get", "post", "put", "patch", "delete", "head"))
_BUSY = frozenset((429, 500, 502, 503, 504))  # always errors, as in Dify: its client takes them for passing troubles
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXTUAL = ("json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql")  # application/…
_MARKERS = (b"{", b"[", b"<", b"function", b"var ", b"const ", b"let ")
_EDGE = "----WebKitFormBoundary0000000000000000"


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
    """Sends a request. Statuses that stand for a busy or broken server are errors, others beyond 2xx only where a
    strategy or retries are set."""

    retries = True

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
            if response.status in _BUSY:
                raise PortError(f"Reached maximum retries for URL {request.url}", "HttpRequestNodeError")
        except PortError as error:
            raise NodeError(str(error), error.error_type, process_data=process) from None
        files = self._files(response, context)
        outputs = {"status_code": response.status, "body": "" if files else _decode(response),
                   "headers": response.headers, "files": files}
        if (self.strategy or self.max_retries) and not 200 <= response.status < 300:
            raise NodeError(f"Request failed with status code {response.status}", "HTTPResponseCodeError",
                            process_data=process, outputs=outputs)
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
                raise NodeError(f"Illegal header name {name.encode()!r}", "HttpRequestNodeError")
        self._authorize(headers, context)
        timeout = self.data.get("timeout") or {}
        verify = self.data.get("ssl_verify")
        params = _params(str(self.data.get("params") or ""), context)
        if params:  # as in Dify, they replace a query that the URL has of its own
            url = urlsplit(url)._replace(query="").geturl()
        request = HttpRequest(
            self.method.upper(), url, headers, params,
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
                    raise NodeError(f"cannot fetch file with selector {item.get('file') or []}", "FileFetchError")
                request.body = context.need("files").read(file)  # without a type, as in Dify: headers may give one
                return
            text = template.render(str(item.get("value") or ""), context.pool)
            if kind == "json":
                try:
                    value = jsonrepair.loads(text)
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
        texts: dict[str, str] = {}
        files: dict[str, Any] = {}
        for item in self.body:
            name = template.render(str(item.get("key") or ""), context.pool)
            if item.get("type") == "file":
                value = context.pool.get(item.get("file") or ())
                files[name] = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, File)]
            else:
                texts[name] = template.render(str(item.get("value") or ""), context.pool)
        request.parts = [HttpPart(name, value) for name, value in texts.items()]
        request.parts += [
            HttpPart(name, filename=file.filename or "file", content=context.need("files").read(file),
                     mime_type=file.mime_type or "application/octet-stream")
            for name, found in files.items() for file in found]
        if not any(files.values()):
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
        secret = (((self.data.get("authorization") or {}).get("config") or {}).get("header")
                  or "Authorization").lower()
        headers = list(request.headers)
        if request.parts is not None:
            headers = [item for item in headers if item[0].lower() != "content-type"]
            headers.append(("Content-Type", f"multipart/form-data; boundary={_EDGE}"))
        elif request.form is not None and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        lines += [f"{name}: {'*' * len(value) if name.lower() == secret else value}" for name, value in headers]
        body = self._log_body(request)
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def _log_body(self, request: HttpRequest) -> str:
        """Return the body as text; of a form with files Dify shows the files alone."""
        if request.form is not None:
            return urlencode(request.form)
        if request.parts is not None:
            files = [part for part in request.parts if part.filename]
            out = [f'--{_EDGE}\r\nContent-Disposition: form-data; name="{part.name}"\r\n\r\n'
                   + (f"<file_content_binary: '{part.filename}', type='{part.mime_type}', "
                      f"size={len(part.content)} bytes>" if part.filename else part.value) + "\r\n"
                   for part in files or request.parts if part.content is None or part.filename]
            return "".join(out) + f"--{_EDGE}--\r\n" if out else ""
        if request.body is None:
            return ""
        if self.body_kind == "json":
            return json.dumps(json.loads(request.body), ensure_ascii=False)
        if self.body_kind == "binary":
            return f"<binary_content: size={len(request.body)} bytes>"
        return request.body.decode("utf-8", "replace")

    def _files(self, response: HttpResponse, context: Context) -> list[File]:
        """Keep the reply as a file if it is one."""
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        disposition = response.headers.get("content-disposition", "")
        if not is_file(kind, disposition, response.content):
            return []
        match = re.search(r'filename\*?="?(?:UTF-8\'\')?([^";]+)', disposition)
        name = match[1] if match else urlsplit(response.url).path.rsplit("/", 1)[-1] or None
        if name and "." not in name:
            name += mimetypes.guess_extension(kind) or ".bin"
        return [context.need("files").save(response.content, name, kind or None)]


def is_file(kind: str, disposition: str, content: bytes) -> bool:
    """Tell whether a reply is a file: by its disposition, its type, and for `application/…` by how it begins."""
    if "attachment" in disposition.lower() or "filename" in disposition.lower():
        return True
    main, _, sub = kind.partition("/")
    if main == "application":
        if any(word in sub for word in _TEXTUAL):
            return False
        with contextlib.suppress(UnicodeDecodeError):
            head = content[:1024]
            head.decode()
            if any(marker in head for marker in _MARKERS):
                return False
        return mimetypes.guess_extension(kind) is not None
    return main in ("image", "audio", "video")


def _decode(response: HttpResponse) -> str:
    match = re.search(r"charset=([\w-]+)", response.headers.get("content-type", ""))
    for encoding in (match[1] if match else "utf-8", "utf-8", "gb18030"):
        try:
            return response.content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return response.content.decode("utf-8", "replace")
