"""HTTP to the outside, behind an allow/deny list that is checked after DNS and after each redirect.

The connection goes to the very address that was checked, so a name that resolves differently a moment later (DNS
rebinding) gains nothing. Loopback, link-local, multicast, unspecified and cloud metadata addresses are refused unless
the list allows them; private networks are allowed unless the list denies them, since a box lives on one.

The list: SPARROW_OUTBOUND_ALLOW and SPARROW_OUTBOUND_DENY, comma-separated networks (`10.0.0.0/8`), addresses or host
names (`example.com` with everything below it). A denial wins, except over nothing.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any
from urllib.parse import urljoin, urlsplit

from sparrow.engine.ports import Cancel, HttpRequest, HttpResponse, PortError

_METADATA = ("169.254.0.0/16", "100.100.100.200/32", "fd00:ec2::254/128", "192.0.0.192/32", "168.63.129.16/32")
_FAILED, _SIZE = "HttpRequestNodeError", "HttpResponseSizeError"
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form")


class Refused(PortError):
    """The list does not allow this address."""

    error_type = _FAILED


def _rules(name: str) -> list[str]:
    return [rule.strip().lower() for rule in os.environ.get(name, "").split(",") if rule.strip()]


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
    if _hits(_rules("SPARROW_OUTBOUND_DENY"), host, address):
        raise Refused(f"{host} ({address}) is on the deny list of outbound calls.")
    if _hits(_rules("SPARROW_OUTBOUND_ALLOW"), host, address):
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
    except (OSError, UnicodeError) as error:
        raise PortError(f"The name {host} cannot be resolved: {error}", _FAILED) from error
    checked = [check(host, row[4][0]) for row in rows]
    return checked[0]


class Client:
    """The engine's HttpClient. One pool a call: addresses are checked anew each time."""

    def request(self, request: HttpRequest, cancel: Cancel) -> HttpResponse:
        """Send a request, following up to ten redirects; see `sparrow.engine.ports.HttpClient`."""
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
            old, url = url, urljoin(url, target)
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                for name in ("content-type", "content-length"):
                    headers.discard(name)
            if urlsplit(old)[:2] != urlsplit(url)[:2]:
                for name in ("authorization", "cookie"):
                    headers.discard(name)
        raise PortError("Exceeded maximum allowed redirects.", _FAILED)

    def _once(self, method: str, url: str, headers: Any, body: bytes | None, request: HttpRequest,
              cancel: Cancel) -> HttpResponse:
        import urllib3

        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise PortError(f"{url} names an impossible port", _FAILED) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PortError("The URL must start with http:// or https://", _FAILED)
        address = resolve(parts.hostname, port)
        timeout = urllib3.Timeout(connect=request.connect_timeout, read=request.read_timeout)
        options: dict[str, Any] = {"timeout": timeout, "maxsize": 1, "retries": False}
        if parts.scheme == "https":
            from sparrow.providers.wire import tls_context

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
        state: dict[str, Any] = {}
        forget = cancel.on_cancel(lambda: state.get("reply") and state["reply"].shutdown())
        try:
            reply = state["reply"] = pool.urlopen(method, target, body=body, headers=sent, redirect=False,
                                                  preload_content=False, decode_content=True, retries=False)
            kind = reply.headers.get("content-type", "")
            limit = request.max_text if kind.startswith(_TEXTUAL) else request.max_binary
            pieces, size = [], 0
            for piece in reply.stream(1 << 16):
                pieces.append(piece)
                size += len(piece)
                if cancel.cancelled:
                    raise PortError("The run was stopped.", _FAILED)
                if size > limit:
                    raise PortError(f"The reply is larger than {limit / (1 << 20):.2f} MB.", _SIZE)
            return HttpResponse(reply.status, {name.lower(): value for name, value in reply.headers.items()},
                                b"".join(pieces), url)
        except urllib3.exceptions.NewConnectionError as error:
            raise PortError(str(error.__cause__ or error), _FAILED) from error
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise PortError("timed out", _FAILED) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            cause = getattr(error, "reason", None) or error.__cause__ or error
            raise PortError(str(cause) or type(error).__name__, _FAILED) from error
        finally:
            forget()
            pool.close()


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
