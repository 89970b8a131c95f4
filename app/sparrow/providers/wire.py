"""A lean HTTP/1.1 client for model servers: pooled keep-alive sockets, three time-outs, closing at any moment.

A chat turn is one small POST whose reply trickles in. A general client spends more CPU on such a call than the
rest of the request together (0.6 ms against 0.1 ms here), and cannot be interrupted while it waits for the
first byte. This one does what model servers need and no more: no redirects, no cookies, no compression.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

_IDLE_SECONDS = 20.0  # most servers close an idle connection after 5 to 60 s
_POOL_SIZE = 64
_HEAD_LIMIT = 64 * 1024


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


class Exchange:
    """One reply: `status`, `headers` (lower-case names), and the body by `chunks` or `read`."""

    __slots__ = ("_client", "_data", "_done", "_keep", "_length", "_route", "_sock", "_timeouts", "call",
                 "headers", "status")

    def __init__(self, client: Client, route: Route, sock: socket.socket, call: Call, timeouts: Timeouts):
        self._client, self._route, self._sock, self.call = client, route, sock, call
        self._timeouts = timeouts
        self._data = b""
        self._done = False
        self._keep = True
        self._length: int | None = None  # None: chunked; -1: until the connection closes
        self.status = 0
        self.headers: dict[str, str] = {}

    def read_head(self, method: str) -> None:
        """Read status and headers, waiting `timeouts.first` for the first byte."""
        self._sock.settimeout(self._timeouts.first)
        data = b""
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                status = self._parse_head(data[:end])
                data = data[end + 4:]
                if status >= 200:
                    break
                continue
            if len(data) > _HEAD_LIMIT:
                raise WireError("the reply's headers are too long")
            piece = self._sock.recv(65536)
            if not piece:
                raise WireError("the server closed the connection without answering", sent=bool(data))
            data += piece
        self._data = data
        headers = self.headers
        if method == "HEAD" or self.status in (204, 304):
            self._length = 0
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._length = None
        elif "content-length" in headers:
            try:
                self._length = max(0, int(headers["content-length"]))
            except ValueError:
                raise WireError("the reply's Content-Length is not a number") from None
        else:
            self._length, self._keep = -1, False
        if headers.get("connection", "").lower() == "close":
            self._keep = False

    def _parse_head(self, data: bytes) -> int:
        lines = data.decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise WireError("the server does not speak HTTP (it may expect https://)")
        if version == "HTTP/1.0":
            self._keep = False
        self.status = int(rest[:3])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.headers = headers
        return self.status

    def _recv(self) -> bytes:
        piece = self._sock.recv(65536)
        if not piece:
            raise WireError("the connection broke in the middle of the reply")
        return piece

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives; at its end the connection goes back to the pool."""
        self._sock.settimeout(self._timeouts.idle)
        try:
            if self._length is None:
                yield from self._chunked()
            elif self._length < 0:
                while self._data:
                    yield self._data
                    self._data = self._sock.recv(65536)
                    if not self._data:
                        break
                else:
                    while data := self._sock.recv(65536):
                        yield data
            else:
                left = self._length
                while left:
                    data = self._data or self._recv()
                    self._data = b""
                    if len(data) > left:
                        data, self._keep = data[:left], False
                    left -= len(data)
                    yield data
        except TimeoutError:
            self._check()
            seconds = self._timeouts.idle
            raise WireError(f"the server sent nothing for {seconds:g} s in the middle of its reply") from None
        except (OSError, WireError) as error:
            self._check()
            if isinstance(error, WireError):
                raise
            raise WireError("the connection broke in the middle of the reply") from error
        self._check()
        self._finish()

    def _chunked(self) -> Iterator[bytes]:
        data = self._data
        while True:
            while (end := data.find(b"\r\n")) < 0:
                if len(data) > _HEAD_LIMIT:
                    raise WireError("the reply's chunk header is too long")
                data += self._recv()
            try:
                size = int(data[:end].partition(b";")[0], 16)
            except ValueError:
                raise WireError("the reply's chunk header is not a number") from None
            start = end + 2
            if size == 0:
                while not data.startswith(b"\r\n", start):  # trailers
                    end = data.find(b"\r\n", start)
                    if end < 0:
                        data += self._recv()
                        continue
                    start = end + 2
                self._keep = self._keep and len(data) == start + 2
                return
            if len(data) >= start + size + 2:
                yield data[start:start + size]
                data = data[start + size + 2:]
                continue
            if len(data) > start:
                yield data[start:start + size]
            left = size + 2 - (len(data) - start)  # what is missing, with the line end
            data = b""
            while left > 0:
                piece = self._recv()
                if left > 2:
                    yield piece[:left - 2]
                if len(piece) > left:
                    data = piece[left:]
                left -= len(piece)

    def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        """Return the whole body; raise WireError if it is longer than `limit` bytes."""
        pieces, size = [], 0
        for piece in self.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.close()
                raise WireError(f"the reply is longer than {limit >> 20} MiB")
        return b"".join(pieces)

    def _check(self) -> None:
        if self.call.closed:
            self.close()
            raise Cancelled

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self.call.attach(None)
            self._client.give_back(self._route, self._sock if self._keep else None, self._sock)

    def settle(self, rest: Iterator[bytes]) -> None:
        """Read what little follows the part of the body that mattered, to save the connection; else close it."""
        if self._done:
            return
        try:
            self._sock.settimeout(0.02)
            for _ in range(8):
                next(rest)
        except StopIteration:
            return
        except (WireError, Cancelled, OSError):
            pass
        self.close()

    def close(self) -> None:
        """Give the exchange up and close its connection."""
        if not self._done:
            self._done = True
            with self.call._lock:
                self.call._sock = None
            self._sock.close()


class Client:
    """Opens exchanges and keeps idle connections. Safe for threads, and after a fork (the pool starts empty)."""

    def __init__(self) -> None:
        self._idle: dict[Route, list[tuple[float, socket.socket]]] = {}
        self._contexts: dict[tuple[bool, str], Any] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def open(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None, *,
             timeouts: Timeouts = Timeouts(), call: Call | None = None, verify: bool = True, ca: str = "",
             proxy: str | None = None) -> Exchange:
        """Send a request and return the exchange once its headers are there.

        A connection that the server had closed meanwhile is replaced silently, since it cannot have seen the
        request. Raises WireError with a text for people, or Cancelled if `call` was closed.
        """
        call = call or Call()
        route, target = _route(url, verify, ca, proxy)
        head = _head(method, route, target, headers, body)
        while True:
            sock = self._take(route)
            reused = sock is not None
            try:
                if sock is None:
                    sock = self._connect(route, timeouts, call)
                else:
                    call.attach(sock)
                exchange = Exchange(self, route, sock, call, timeouts)
                sock.settimeout(max(timeouts.idle, 1.0))
                if body and len(body) > 16384:
                    sock.sendall(head)
                    sock.sendall(body)
                else:
                    sock.sendall(head + body if body else head)
                exchange.read_head(method)
                return exchange
            except (OSError, WireError, Cancelled) as error:
                if sock is not None:
                    sock.close()
                if call.closed:
                    raise Cancelled from None
                if isinstance(error, TimeoutError):
                    raise WireError(f"{_place(route)} did not answer within {timeouts.first:g} s") from None
                if reused and (isinstance(error, OSError) or not error.sent):
                    continue
                if isinstance(error, WireError):
                    raise WireError(f"{_place(route)}: {error}", sent=error.sent) from None
                raise WireError(f"{_place(route)}: the connection broke ({_why(error)})") from error

    def give_back(self, route: Route, keep: socket.socket | None, sock: socket.socket) -> None:
        """Take a connection back after a reply, or close it if it must not be used again."""
        with self._lock:
            idle = self._idle.setdefault(route, [])
            if keep is not None and len(idle) < _POOL_SIZE and self._pid == os.getpid():
                idle.append((time.monotonic(), sock))
                return
        sock.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for entries in idle.values():
            for _, sock in entries:
                sock.close()

    def _take(self, route: Route) -> socket.socket | None:
        if self._pid != os.getpid():  # forked: the sockets belong to the parent
            self._idle, self._pid = {}, os.getpid()
        while True:
            with self._lock:
                idle = self._idle.get(route)
                if not idle:
                    return None
                since, sock = idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS and not _readable(sock):
                return sock
            sock.close()  # gone, or something unasked arrived

    def _connect(self, route: Route, timeouts: Timeouts, call: Call) -> socket.socket:
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
            raise WireError(f"cannot connect ({_why(error)})", sent=False) from error
        if route.scheme != "https":
            return sock
        import ssl

        try:
            if via:
                _tunnel(sock, route, via)
            tls = self._context(route.verify, route.ca).wrap_socket(sock, server_hostname=route.host)
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

    def _context(self, verify: bool, ca: str) -> Any:
        with self._lock:
            context = self._contexts.get((verify, ca))
            if context is None:
                context = self._contexts[verify, ca] = tls_context(verify, ca)
            return context


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


def _route(url: str, verify: bool, ca: str, proxy: str | None) -> tuple[Route, str]:
    """Split a URL into the route and the request target."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WireError(f"“{url}” is not an http or https address", sent=False)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise WireError(f"“{url}” names an impossible port", sent=False) from None
    if proxy is None:
        proxy = environment_proxy(parts.scheme, parts.hostname)
    route = Route(parts.scheme, parts.hostname, port, verify, ca, proxy)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if proxy and parts.scheme == "http":
        target = f"http://{parts.netloc}{target}"
    return route, target


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


def _head(method: str, route: Route, target: str, headers: dict[str, str], body: bytes | None) -> bytes:
    host = f"[{route.host}]" if ":" in route.host else route.host
    if route.port != (443 if route.scheme == "https" else 80):
        host = f"{host}:{route.port}"
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1:
        raise WireError("a header or the address holds a line break", sent=False)
    try:
        return text.encode("latin-1") + b"\r\n\r\n"
    except UnicodeEncodeError:
        raise WireError("the key or address holds characters that HTTP headers cannot carry",
                        sent=False) from None


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
    while b"\r\n\r\n" not in data and len(data) < _HEAD_LIMIT:
        piece = sock.recv(4096)
        if not piece:
            break
        data += piece
    if data[9:12] != b"200":
        raise WireError(f"the proxy {via.hostname} refused the tunnel", sent=False)


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _place(route: Route) -> str:
    return f"{route.scheme}://{route.host}:{route.port}"


def _why(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
