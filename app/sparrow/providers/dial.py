"""Connections for the HTTP client: what may go wrong before a request is sent, in words for people."""

from __future__ import annotations

import os
import socket
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

_ANSWER_LIMIT = 64 * 1024  # bytes of a proxy's answer


class WireError(Exception):
    """The exchange failed below HTTP: no route, no answer in time, a broken reply."""

    def __init__(self, message: str, *, sent: bool = True):
        super().__init__(message)
        self.sent = sent  # False if the server cannot have seen the request


class Cancelled(Exception):
    """The call was closed from this side."""


@dataclass(slots=True, frozen=True)
class Timeouts:
    """Seconds to connect, to the first byte of the reply, and between two pieces of it."""

    connect: float = 10.0
    first: float = 300.0
    idle: float = 120.0


@dataclass(slots=True, frozen=True)
class Route:
    """Where and how to connect; also the key of the pool. `ca` is PEM text to trust besides the system's."""

    scheme: str
    host: str
    port: int
    verify: bool = True
    ca: str = ""
    proxy: str = ""


class Call:
    """The handle of a running call. `close` may come from any thread at any time; the waiting one wakes."""

    __slots__ = ("_lock", "_sock", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    def attach(self, sock: socket.socket | None) -> None:
        """Note the socket in use; raise Cancelled if the call is closed already."""
        with self._lock:
            self._sock = sock
            if self.closed and sock is not None:
                raise Cancelled

    def close(self) -> None:
        """End the call: the connection is shut down at once."""
        with self._lock:
            self.closed = True
            sock, self._sock = self._sock, None
            if sock is not None:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    pass


def tls_context(verify: bool = True, ca: str = "") -> Any:
    """Make a client's SSL context: the system's authorities and `ca` (PEM text). Costs some 20 ms."""
    import ssl

    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        # An interpreter built elsewhere looks for the authorities where this system has none.
        for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
            if os.path.exists(path):
                context.load_verify_locations(path)
                break
    if ca:
        context.load_verify_locations(cadata=ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def route_of(url: str, verify: bool, ca: str, proxy: str | None) -> tuple[Route, str]:
    """Split a URL into the route and the request target."""
    scheme, host, port, netloc, target = _split(url)
    if proxy is None:
        proxy = environment_proxy(scheme, host)
    if proxy and scheme == "http":
        target = f"http://{netloc}{target}"
    return Route(scheme, host, port, verify, ca, proxy), target


@lru_cache(256)
def _split(url: str) -> tuple[str, str, int, str, str]:
    """Return scheme, host, port, network location and target; raise WireError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WireError(f"“{url}” is not an http or https address", sent=False)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise WireError(f"“{url}” names an impossible port", sent=False) from None
    return (parts.scheme, parts.hostname, port, parts.netloc,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def environment_proxy(scheme: str, host: str) -> str:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a host, or an empty text."""
    environment = os.environ
    proxy = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY") or ""
    if not proxy or host in ("localhost", "127.0.0.1", "::1"):
        return ""
    for rule in (environment.get("no_proxy") or environment.get("NO_PROXY") or "").split(","):
        rule = rule.strip().lstrip("*").lstrip(".").lower()
        if rule and (host.lower() == rule or host.lower().endswith("." + rule)):
            return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def connect(route: Route, timeouts: Timeouts, call: Call, context: Callable[[], Any]) -> socket.socket:
    """Return a connection to a route, with TLS (of the SSL context that `context` gives) and through its proxy if it
    has these. Raises WireError with a text for people, or Cancelled if `call` was closed."""
    via = urlsplit(route.proxy) if route.proxy else None
    host, port = (via.hostname or "", via.port or 3128) if via else (route.host, route.port)
    try:
        sock = _dial(host, port, timeouts.connect, call)
    except socket.gaierror as error:
        raise WireError(f"the name {host} cannot be resolved ({error.strerror or error})",
                        sent=False) from error
    except TimeoutError:
        raise WireError(f"no connection within {timeouts.connect:g} s", sent=False) from None
    except OSError as error:
        raise WireError(f"cannot connect ({why(error)})", sent=False) from error
    if route.scheme != "https":
        return sock
    import ssl

    try:
        if via:
            _tunnel(sock, route, via)
        tls = context().wrap_socket(sock, server_hostname=route.host)
        call.attach(tls)
        return tls
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise WireError(f"its certificate is not trusted ({error.verify_message})", sent=False) from error
    except ssl.SSLError as error:
        sock.close()
        raise WireError(f"TLS failed ({error.reason or error}); is it http:// rather than https://?",
                        sent=False) from error
    except TimeoutError:
        sock.close()
        raise WireError(f"no TLS answer within {timeouts.connect:g} s; is it http:// rather than https://?",
                        sent=False) from None
    except BaseException:
        sock.close()
        raise


def _dial(host: str, port: int, timeout: float, call: Call) -> socket.socket:
    last: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            call.attach(sock)
            sock.settimeout(timeout)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        except OSError as error:
            last = error
            sock.close()
            if call.closed:
                raise Cancelled from None
        except Cancelled:
            sock.close()
            raise
    raise last or OSError("the name has no address")


def _tunnel(sock: socket.socket, route: Route, via: Any) -> None:
    """Ask an HTTP proxy for a tunnel to the route's host."""
    lines = [f"CONNECT {route.host}:{route.port} HTTP/1.1", f"host: {route.host}:{route.port}"]
    if via.username:
        user = f"{unquote(via.username)}:{unquote(via.password or '')}"
        lines.append("proxy-authorization: Basic " + b64encode(user.encode()).decode())
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _ANSWER_LIMIT:
        piece = sock.recv(4096)
        if not piece:
            break
        data += piece
    if data[9:12] != b"200":
        raise WireError(f"the proxy {via.hostname} refused the tunnel", sent=False)


def place(route: Route) -> str:
    """Return a route as messages name it."""
    return f"{route.scheme}://{route.host}:{route.port}"


def why(error: OSError) -> str:
    """Return what the system says of an error."""
    return (error.strerror or str(error) or type(error).__name__).lower()
