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
from collections.abc import Iterator
from typing import Any

from sparrow.providers.dial import (
    Call,
    Cancelled,
    Route,
    Timeouts,
    WireError,
    connect,
    place,
    route_of,
    tls_context,
    why,
)

_IDLE_SECONDS = 20.0  # most servers close an idle connection after 5 to 60 s
_POOL_SIZE = 64
_HEAD_LIMIT = 64 * 1024
_USUAL = Timeouts()


class Exchange:
    """One reply: `status`, `headers` (lower-case names), and the body by `chunks` or `read`."""

    __slots__ = ("_client", "_data", "_done", "_keep", "_length", "_route", "_sock", "_timeouts", "call",
                 "headers", "reused", "status")

    def __init__(self, client: Client, route: Route, sock: socket.socket, call: Call, timeouts: Timeouts,
                 reused: bool):
        self._client, self._route, self._sock, self.call = client, route, sock, call
        self._timeouts = timeouts
        self.reused = reused  # the connection had been idle: the server may have closed it at this moment
        self._data = b""
        self._done = False
        self._keep = True
        self._length: int | None = None  # None: chunked; -1: until the connection closes
        self.status = 0
        self.headers: dict[str, str] = {}

    def send(self, head: bytes, body: bytes | None = None) -> None:
        """Send a request, in one piece if it is small."""
        self._sock.settimeout(max(self._timeouts.idle, 1.0))
        if body and len(body) > 16384:
            self._sock.sendall(head)
            self._sock.sendall(body)
        else:
            self._sock.sendall(head + body if body else head)

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
             timeouts: Timeouts = _USUAL, call: Call | None = None, verify: bool = True, ca: str = "",
             proxy: str | None = None) -> Exchange:
        """Send a request and return the exchange once its headers are there.

        A connection that the server had closed meanwhile is replaced silently, since it cannot have seen the
        request. Raises WireError with a text for people, or Cancelled if `call` was closed.
        """
        call = call or Call()
        route, target = route_of(url, verify, ca, proxy)
        head = head_of(method, route, target, headers, body)
        while True:
            exchange = None
            try:
                exchange = self.begin(route, timeouts, call)
                exchange.send(head, body)
                exchange.read_head(method)
                return exchange
            except (OSError, WireError, Cancelled) as error:
                if exchange is not None:
                    exchange.close()
                if call.closed:
                    raise Cancelled from None
                if isinstance(error, TimeoutError):
                    raise WireError(f"{place(route)} did not answer within {timeouts.first:g} s") from None
                if exchange is not None and exchange.reused and (isinstance(error, OSError) or not error.sent):
                    continue
                if isinstance(error, WireError):
                    raise WireError(f"{place(route)}: {error}", sent=error.sent) from None
                raise WireError(f"{place(route)}: the connection broke ({why(error)})") from error

    def begin(self, route: Route, timeouts: Timeouts, call: Call) -> Exchange:
        """Return an exchange that has sent nothing yet, over an idle connection or a new one; raise WireError or
        Cancelled."""
        sock = self._take(route)
        if sock is None:
            return Exchange(self, route, connect(route, timeouts, call, lambda: self._context(route)), call, timeouts,
                            reused=False)
        try:
            call.attach(sock)
        except Cancelled:
            sock.close()
            raise
        return Exchange(self, route, sock, call, timeouts, reused=True)

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

    def _context(self, route: Route) -> Any:
        with self._lock:
            context = self._contexts.get((route.verify, route.ca))
            if context is None:
                context = self._contexts[route.verify, route.ca] = tls_context(route.verify, route.ca)
            return context


def head_of(method: str, route: Route, target: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """Return the first line and the headers of a request; raise WireError for what cannot stand there."""
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


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
