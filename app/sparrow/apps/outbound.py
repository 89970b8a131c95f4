"""HTTP to the outside for nodes, remote files and extensions, behind the admin's rules.

A host is resolved once, each of its addresses is checked, and the connection goes to a checked address, so that a
name cannot point elsewhere a moment later. Redirects are followed here and checked again.
"""

from __future__ import annotations

import gzip
import http.client
import io
import ipaddress
import socket
import ssl
import zlib
from functools import cache
from urllib.parse import quote, urlencode, urljoin, urlsplit, urlunsplit

import sqlalchemy as sa

from sparrow import clock
from sparrow.engine.ports import Cancel, HttpRequest, HttpResponse, PortError
from sparrow.errors import BadRequest
from sparrow.storage import db
from sparrow.storage.tables.account import settings

_SETTING = "outbound"
_MAX_REDIRECTS = 20
_NODE_ERROR, _SIZE_ERROR = "HttpRequestNodeError", "HttpResponseSizeError"


class Client:
    """The engine's `HttpClient` port."""

    def request(self, request: HttpRequest, cancel: Cancel) -> HttpResponse:
        """Send a request; raise PortError when it is refused, unreachable, too slow or too large."""
        url, method, body, headers = _with_params(request), request.method.upper(), *_body(request)
        rules = read_rules()
        for _ in range(_MAX_REDIRECTS + 1):
            reply = _once(url, method, body, headers, request, rules, cancel)
            target = reply.headers.get("location")
            if not request.follow_redirects or reply.status not in (301, 302, 303, 307, 308) or not target:
                return reply
            previous, url = urlsplit(url), urljoin(url, target)
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                headers = [pair for pair in headers if pair[0].lower() not in ("content-type", "content-length")]
            if urlsplit(url).netloc != previous.netloc:  # a key is for the host it was meant for
                headers = [pair for pair in headers if pair[0].lower() not in ("authorization", "cookie")]
        raise PortError("Exceeded maximum allowed redirects.", _NODE_ERROR)


def read_rules() -> dict[str, list[str]]:
    """Return the admin's `allow` and `deny` lists of host names, addresses and networks."""
    with db.read() as tx:
        row = tx.execute(sa.select(settings.c.value).where(settings.c.name == _SETTING)).first()
    value = row.value if row is not None and isinstance(row.value, dict) else {}
    return {name: [str(item) for item in value.get(name) or []] for name in ("allow", "deny")}


def write_rules(allow: list[str], deny: list[str]) -> None:
    """Set the lists; an entry is a host name (`.example.com` with all below it), an address or a network."""
    for name, items in (("allow", allow), ("deny", deny)):
        for item in items:
            if not item.strip() or ("/" in item and _network(item) is None):
                raise BadRequest(f"{name}: '{item[:80]}' is neither a host name nor a network", params=name)
    value = {"allow": [item.strip().lower() for item in allow], "deny": [item.strip().lower() for item in deny]}
    with db.write() as tx:
        tx.execute(db.insert(settings).values(name=_SETTING, value=value, updated_at=clock.now()).on_conflict_do_update(
            index_elements=["name"], set_={"value": value, "updated_at": clock.now()}))


def check(host: str, address: str, rules: dict[str, list[str]]) -> None:
    """Raise PortError unless the rules let a request to this host at this address pass.

    Without an entry, addresses of the box itself, link-local ones (cloud metadata) and the like are refused;
    the local network is not: that is where an appliance's services are.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if _matches(host, found, rules["deny"]):
        raise PortError(f"{host} is on the list of forbidden hosts.", _NODE_ERROR)
    if _matches(host, found, rules["allow"]):
        return
    if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast or found.is_reserved:
        raise PortError(f"{host} ({found}) is an address of the box itself or of its host; the admin can allow it.",
                        _NODE_ERROR)


def _matches(host: str, address, items: list[str]) -> bool:
    for item in items:
        network = _network(item)
        if network is not None:
            if address.version == network.version and address in network:
                return True
        elif host == item.lstrip(".") or (item.startswith(".") and host.endswith(item)):
            return True
    return False


def _network(item: str):
    try:
        return ipaddress.ip_network(item.strip(), strict=False)
    except ValueError:
        return None


def _once(url: str, method: str, body: bytes | None, headers: list[tuple[str, str]], request: HttpRequest,
          rules: dict[str, list[str]], cancel: Cancel) -> HttpResponse:
    parts = urlsplit(url)
    try:
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("http", "https") or not host:
        raise PortError("url should start with http or https", _NODE_ERROR)
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = [item[4][0] for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for address in addresses:
            check(host, address, rules)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = _connect(addresses, port, request, host if parts.scheme == "https" else "")
        forget = cancel.on_cancel(lambda: connection.sock and connection.sock.shutdown(socket.SHUT_RDWR))
        try:
            return _exchange(connection, parts, method, body, headers, request, url)
        finally:
            forget()
            connection.close()
    except TimeoutError:
        raise PortError("timed out", _NODE_ERROR) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PortError(str(error) or type(error).__name__, _NODE_ERROR) from error


def _connect(addresses: list[str], port: int, request: HttpRequest, tls_name: str) -> socket.socket:
    failure: OSError | None = None
    for address in addresses:
        try:
            found = socket.create_connection((address, port), request.connect_timeout)
            break
        except OSError as error:
            failure = error
    else:
        raise failure or OSError("no address")
    if tls_name:
        found = _context(request.verify).wrap_socket(found, server_hostname=tls_name)
    found.settimeout(request.read_timeout)
    return found


def _exchange(connection, parts, method: str, body: bytes | None, headers: list[tuple[str, str]],
              request: HttpRequest, url: str) -> HttpResponse:
    path = urlunsplit(("", "", quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._"), parts.query, ""))
    connection.putrequest(method, path, skip_accept_encoding=True)
    given = {name.lower() for name, _ in headers}
    for name, value in (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")):
        if name.lower() not in given:
            connection.putheader(name, value)
    for name, value in headers:
        if name.lower() not in ("content-length", "host", "transfer-encoding"):
            connection.putheader(name, value.encode("utf-8"))
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    reply = connection.getresponse()
    fields = {name.lower(): value for name, value in reply.getheaders()}
    kind = fields.get("content-type", "")
    limit = request.max_text if kind.startswith("text/") or "json" in kind or "xml" in kind else request.max_binary
    content = reply.read(limit + 1)
    content = _decoded(content, fields.get("content-encoding", ""), limit)
    if len(content) > limit:
        raise PortError(f"The reply is larger than {limit / 1048576:.2f} MB.", _SIZE_ERROR)
    return HttpResponse(reply.status, fields, content, url)


def _decoded(content: bytes, encoding: str, limit: int) -> bytes:
    try:
        if encoding == "gzip":
            with gzip.open(io.BytesIO(content)) as file:
                return file.read(limit + 1)
        if encoding == "deflate":
            return zlib.decompressobj().decompress(content, limit + 1)
    except (OSError, EOFError, zlib.error):
        return content
    return content


def _with_params(request: HttpRequest) -> str:
    if not request.params:
        return request.url
    parts = urlsplit(request.url)
    query = "&".join(part for part in (parts.query, urlencode(request.params)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _body(request: HttpRequest) -> tuple[bytes | None, list[tuple[str, str]]]:
    headers = list(request.headers)
    typed = any(name.lower() == "content-type" for name, _ in headers)
    if request.parts is not None:
        from urllib3.fields import RequestField
        from urllib3.filepost import encode_multipart_formdata

        fields = []
        for part in request.parts:
            field = RequestField(part.name, part.content if part.content is not None else part.value, part.filename)
            field.make_multipart(content_type=part.mime_type)
            fields.append(field)
        body, kind = encode_multipart_formdata(fields)
        return body, [pair for pair in headers if pair[0].lower() != "content-type"] + [("Content-Type", kind)]
    if request.form is not None:
        return urlencode(request.form).encode(), headers if typed else [
            *headers, ("Content-Type", "application/x-www-form-urlencoded")]
    return request.body, headers


@cache
def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
