"""HTTP to the outside, behind an allow/deny list that is checked after DNS and after each redirect.

The connection goes to the very address that was checked, so a name that resolves differently a moment later (DNS
rebinding) gains nothing. Loopback, link-local, multicast, unspecified and cloud metadata addresses are refused unless
the list allows them; private networks are allowed unless the list denies them, since a box lives on one.

The list is what the admin stored (`rules`, `set_rules`) and SPARROW_OUTBOUND_ALLOW and SPARROW_OUTBOUND_DENY beside it,
comma-separated: networks (`10.0.0.0/8`), addresses, or host names (`example.com` with everything below it). A denial
wins.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import logging
import os
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import sqlalchemy as sa

from sparrow import clock
from sparrow.engine.ports import Cancel, HttpRequest, HttpResponse, PortError
from sparrow.errors import BadRequest
from sparrow.storage import db, providers

log = logging.getLogger(__name__)
_METADATA = ("169.254.0.0/16", "100.100.100.200/32", "fd00:ec2::254/128", "192.0.0.192/32", "168.63.129.16/32")
_FAILED, _SIZE = "HttpRequestNodeError", "HttpResponseSizeError"
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form")


class Refused(PortError):
    """The list does not allow this address."""

    error_type = _FAILED


_NAME, _LOOK_EVERY = "outbound", 1.0  # seconds after which another process' change is noticed
_seen: tuple[float, dict[str, list[str]]] = (-1e9, {})


def rules() -> dict[str, list[str]]:
    """Return what the admin stored: {allow, deny}."""
    found = providers.value(_NAME) or {}
    return {"allow": found.get("allow") or [], "deny": found.get("deny") or []}


def set_rules(allow: list[str], deny: list[str]) -> dict[str, list[str]]:
    """Store the lists; raise BadRequest for what is neither a network nor a host name."""
    global _seen
    new = {"allow": _clean("allow", allow), "deny": _clean("deny", deny)}
    with db.write() as tx:
        providers.set_value(tx, _NAME, new)
    _seen = (-1e9, {})
    return new


def _clean(field: str, given: list[str]) -> list[str]:
    found = []
    for rule in (rule.strip().lower() for rule in given):
        if not rule:
            continue
        try:
            rule = str(ipaddress.ip_network(rule, strict=False)) if "/" in rule else str(ipaddress.ip_address(rule))
        except ValueError:
            if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", rule) or rule.replace(".", "").isdigit():
                raise BadRequest(f"{field}: “{rule}” is neither a network, an address nor a host name",
                                 params=field) from None
        found.append(rule)
    return list(dict.fromkeys(found))[:500]


def _stored() -> dict[str, list[str]]:
    global _seen
    if clock.monotonic() - _seen[0] >= _LOOK_EVERY:
        try:
            found = rules()
        except (sa.exc.SQLAlchemyError, db.DatabaseError):
            # What was known last holds; without any list the strict default does.
            log.warning("the list of outbound calls cannot be read")
            found = _seen[1] or {"allow": [], "deny": []}
        _seen = (clock.monotonic(), found)
    return _seen[1]


def _rules(name: str) -> list[str]:
    given = os.environ.get(f"SPARROW_OUTBOUND_{name.upper()}", "")
    return [rule.strip().lower() for rule in given.split(",") if rule.strip()] + _stored()[name]


def _hits(rules: list[str], host: str, address: Any) -> bool:
    for rule in rules:
        try:
            if address in ipaddress.ip_network(rule, strict=False):
                return True
        except ValueError:
            if host == rule or host.endswith("." + rule):
                return True
        except TypeError:  # the other IP version
            continue
    return False


def check(host: str, found: str) -> str:
    """Return the address if it may be called; raise Refused with the reason."""
    address = ipaddress.ip_address(found.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    host = host.lower().rstrip(".")
    if _hits(_rules("deny"), host, address):
        raise Refused(f"{host} ({address}) is on the deny list of outbound calls.")
    if _hits(_rules("allow"), host, address):
        return str(address)
    if (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
            or address.is_reserved or _hits(list(_METADATA), "", address)):
        raise Refused(f"{host} ({address}) is an address of this box or of its host and is not allowed; "
                      "an admin can allow it in the list of outbound calls.")
    return str(address)


def resolve(host: str, port: int) -> str:
    """Return the first address of a host that may be called; every one of them is checked."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise PortError(f"The name {host} cannot be resolved: {error}", _FAILED) from error
    checked = [check(host, row[4][0]) for row in rows]
    return checked[0]


class Reply:
    """A reply whose body is still to be read; close it."""

    def __init__(self, raw: Any, url: str, close: Callable[[], None], cancel: Cancel):
        self.status: int = raw.status
        self.headers = {name.lower(): value for name, value in raw.headers.items()}
        self.url = url
        self.close = close
        self._raw, self._cancel = raw, cancel

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes, decoded (gzip…); raise PortError when it breaks off or the run is stopped."""
        with _explained():
            # read1 gives what has arrived: an event of a stream must not wait for a full buffer.
            while piece := self._raw.read1(1 << 16):
                if self._cancel.cancelled:
                    raise PortError("The run was stopped.", _FAILED)
                yield piece


class Client:
    """The engine's HttpClient. One pool a call: addresses are checked anew each time."""

    def request(self, request: HttpRequest, cancel: Cancel) -> HttpResponse:
        """Send a request, following up to ten redirects; see `sparrow.engine.ports.HttpClient`."""
        with contextlib.closing(self.open(request, cancel)) as reply:
            kind = reply.headers.get("content-type", "")
            textual = kind.startswith(_TEXTUAL)
            limit = request.max_text if textual else request.max_binary
            pieces, size = [], 0
            for piece in reply.pieces():
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    told = reply.headers.get("content-length", "")
                    size = f"current size is {int(told) / (1 << 20):.2f} MB" if told.isdigit() else "it is larger"
                    raise PortError(f"{'Text' if textual else 'File'} size is too large, max size is "
                                    f"{limit / (1 << 20):.2f} MB, but {size}.", _SIZE)
            return HttpResponse(reply.status, reply.headers, b"".join(pieces), reply.url)

    def open(self, request: HttpRequest, cancel: Cancel) -> Reply:
        """Send a request, following up to ten redirects, and return the reply with its body unread."""
        import urllib3

        url, method = _with_params(request), request.method.upper()
        headers = urllib3.HTTPHeaderDict()
        for name, value in request.headers:
            headers.add(name, value)
        body, headers = _body(request, headers)
        for _ in range(11):
            reply = self._once(method, url, headers, body, request, cancel)
            target = reply.headers.get("location")
            if not (request.follow_redirects and target and reply.status in (301, 302, 303, 307, 308)):
                return reply
            reply.close()
            try:
                old, url = urlsplit(url)[:2], urljoin(url, target)
                new = urlsplit(url)[:2]
            except ValueError:
                raise PortError(f"It leads to what is no address: {target[:200]}", _FAILED) from None
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                for name in ("content-type", "content-length"):
                    headers.discard(name)
            if old != new:
                for name in ("authorization", "cookie", *request.secret_headers):
                    headers.discard(name)
        raise PortError("Exceeded maximum allowed redirects.", _FAILED)

    def _once(self, method: str, url: str, headers: Any, body: bytes | None, request: HttpRequest,
              cancel: Cancel) -> Reply:
        import urllib3

        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise PortError(f"{url[:200]} is no address: {error}", _FAILED) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PortError("The URL must start with http:// or https://", _FAILED)
        address = resolve(parts.hostname, port)
        timeout = urllib3.Timeout(connect=request.connect_timeout, read=request.read_timeout)
        options: dict[str, Any] = {"timeout": timeout, "maxsize": 1, "retries": False}
        if parts.scheme == "https":
            from sparrow.providers.dial import tls_context

            pool: Any = urllib3.HTTPSConnectionPool(address, port, ssl_context=tls_context(request.verify),
                                                    assert_hostname=parts.hostname if request.verify else False,
                                                    server_hostname=parts.hostname, **options)
        else:
            pool = urllib3.HTTPConnectionPool(address, port, **options)
        sent = urllib3.HTTPHeaderDict(headers)
        if "host" not in sent:
            sent["Host"] = parts.netloc.rpartition("@")[2]
        if "user-agent" not in sent:
            sent["User-Agent"] = "sparrow"
        if "accept" not in sent:
            sent["Accept"] = "*/*"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if "authorization" not in sent and (parts.username or parts.password):
            words = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            sent["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
        state: dict[str, Any] = {}
        kind = pool.ConnectionCls

        def connection(**options: Any) -> Any:
            state["connection"] = found = kind(**options)
            connect = found.connect

            def connect_unless_stopped() -> None:
                connect()
                if cancel.cancelled:
                    raise PortError("The run was stopped.", _FAILED)

            found.connect = connect_unless_stopped
            return found

        def stop() -> None:
            if state.get("reply"):
                state["reply"].shutdown()
            elif (sock := getattr(state.get("connection"), "sock", None)) is not None:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which another thread reads from

        pool.ConnectionCls = connection
        forget = cancel.on_cancel(stop)

        def close() -> None:
            forget()
            if state.get("reply"):
                state["reply"].close()
            pool.close()

        try:
            with _explained():
                state["reply"] = pool.urlopen(method, target, body=body, headers=sent, redirect=False,
                                              preload_content=False, decode_content=True, retries=False)
            return Reply(state["reply"], url, close, cancel)
        except BaseException:
            close()
            raise


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what fails below HTTP into PortError with the text of its cause."""
    import urllib3

    try:
        yield
    except urllib3.exceptions.NewConnectionError as error:
        raise PortError(str(error.__cause__ or error), _FAILED) from error
    except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise PortError("timed out", _FAILED) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or error.__cause__ or error
        raise PortError(str(cause) or type(error).__name__, _FAILED) from error


def _with_params(request: HttpRequest) -> str:
    from urllib.parse import quote, urlencode

    url = quote(request.url.strip(), safe="%/:=&?~#+!$,;'@()*[]")
    if not request.params:
        return url
    base, _, fragment = url.partition("#")
    return base + ("&" if "?" in base else "?") + urlencode(request.params) + (f"#{fragment}" if fragment else "")


def _body(request: HttpRequest, headers: Any) -> tuple[bytes | None, Any]:
    from urllib.parse import urlencode

    if request.parts is not None:
        from urllib3.fields import RequestField
        from urllib3.filepost import encode_multipart_formdata

        fields = []
        for part in request.parts:
            data = part.content if part.content is not None else part.value.encode()
            field = RequestField(part.name, data, filename=part.filename)
            field.make_multipart(content_type=part.mime_type or (
                "application/octet-stream" if part.filename else None))
            fields.append(field)
        body, kind = encode_multipart_formdata(fields)
        headers.discard("content-type")
        headers["Content-Type"] = kind
        return body, headers
    if request.form is not None:
        if "content-type" not in headers:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return urlencode(request.form).encode(), headers
    return request.body, headers
