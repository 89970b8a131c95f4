"""MCP over HTTP: streamable (each message is a POST), and the older one with a stream of events beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from sparrow import clock
from sparrow.engine.ports import Cancel, HttpRequest, PortError
from sparrow.tools.mcp.client import McpError, Server
from sparrow.tools.outbound import Client, Reply

_MAX_MESSAGE = 16 << 20


class NotStreamable(McpError):
    """The server does not take POSTs at this address: it may be one of the older kind."""


class _Http:
    """What both ways share: sending a message and telling failures."""

    def __init__(self, server: Server, cancel: Cancel):
        self.server, self.cancel = server, cancel
        self.version = ""
        self.url = server.url
        self.session_id = ""

    def request(self, method: str, url: str, accept: str, seconds: float,
                message: dict[str, Any] | None = None) -> Reply:
        """Send; return the reply, its body unread."""
        headers = [*self.server.headers.items(), ("Accept", accept)]
        if self.version:
            headers.append(("MCP-Protocol-Version", self.version))
        if self.session_id:
            headers.append(("Mcp-Session-Id", self.session_id))
        body = None
        if message is not None:
            headers.append(("Content-Type", "application/json"))
            body = json.dumps(message, ensure_ascii=False).encode()
        try:
            return Client().open(HttpRequest(
                method, url, headers, body=body, connect_timeout=self.server.timeout, read_timeout=seconds,
                secret_headers=("mcp-session-id", *self.server.headers)), self.cancel)
        except PortError as error:
            raise McpError(f"{self.server.name} cannot be reached: {error}") from error

    def refusal(self, reply: Reply) -> McpError:
        """Return the error of a status of 400 or above."""
        with contextlib.closing(reply):
            text = _whole(reply, 2000).decode("utf-8", "replace").strip()
        if reply.status in (401, 403):
            return McpError(f"{self.server.name} refused the key (status {reply.status}); check its headers.")
        kind = NotStreamable if reply.status in (400, 404, 405, 406, 410, 415) and not self.version else McpError
        return kind(f"{self.server.name} answered {reply.status}: {text[:300]}")

    def close(self) -> None:
        """End the conversation."""


class Streamable(_Http):
    """Streamable HTTP."""

    def send(self, message: dict[str, Any]) -> None:
        """Post a message that has no answer."""
        reply = self.request("POST", self.url, "application/json, text/event-stream", self.server.timeout, message)
        if reply.status >= 400:
            raise self.refusal(reply)
        reply.close()

    def ask(self, message: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        """Post a request; the answer is the reply's body or comes in its stream."""
        reply = self.request("POST", self.url, "application/json, text/event-stream", seconds, message)
        if reply.status >= 400:
            raise self.refusal(reply)
        with contextlib.closing(reply):
            self.session_id = reply.headers.get("mcp-session-id") or self.session_id
            if reply.headers.get("content-type", "").startswith("text/event-stream"):
                for _, data in _events(_until(reply, seconds, self.server)):
                    yield from _decode(data, self.server)
            else:
                body = _whole(reply, _MAX_MESSAGE)
                if not body.strip():
                    raise McpError(f"{self.server.name} gave an empty answer.")
                if body.lstrip()[:1] not in (b"{", b"["):
                    raise NotStreamable(f"{self.server.name} did not answer in JSON.")
                yield from _decode(body, self.server)

    def close(self) -> None:
        """Tell the server that its session is over."""
        if self.session_id and not self.cancel.cancelled:
            with contextlib.suppress(PortError):
                self.request("DELETE", self.url, "*/*", 5.0).close()


class Events(_Http):
    """HTTP with server-sent events: one stream for all answers, messages are posted to the address it names."""

    def __init__(self, server: Server, cancel: Cancel):
        super().__init__(server, cancel)
        self.stream = self.request("GET", server.url, "text/event-stream", server.read_timeout)
        if self.stream.status >= 400:
            raise self.refusal(self.stream)
        self.events = _events(self.stream.pieces())
        try:
            for kind, data in self.events:
                if kind == "endpoint":
                    self.url = urljoin(self.stream.url, data.decode("utf-8", "replace").strip())
                    break
            else:
                raise McpError(f"{server.name} named no address for messages: it is not an MCP server.")
            if urlsplit(self.url)[:2] != urlsplit(self.stream.url)[:2]:
                raise McpError(f"{server.name} wants messages sent to another host, which is not done.")
        except BaseException as error:
            self.stream.close()
            if isinstance(error, PortError) and not isinstance(error, McpError):
                raise McpError(f"{server.name}: {error}") from error
            raise

    def send(self, message: dict[str, Any]) -> None:
        """Post a message; its answer comes by the stream."""
        reply = self.request("POST", self.url, "*/*", self.server.timeout, message)
        if reply.status >= 400:
            raise self.refusal(reply)
        reply.close()

    def ask(self, message: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        """Post a request and yield what the stream brings."""
        self.send(message)
        deadline = clock.monotonic() + seconds
        try:
            for kind, data in self.events:
                if kind in ("", "message"):
                    yield from _decode(data, self.server)
                if clock.monotonic() > deadline:
                    raise McpError(f"{self.server.name} did not answer within {seconds:.0f} s.")
        except PortError as error:
            if isinstance(error, McpError):
                raise
            raise McpError(f"{self.server.name}: {error}") from error

    def close(self) -> None:
        """End the stream."""
        self.stream.close()


def _until(reply: Reply, seconds: float, server: Server) -> Iterator[bytes]:
    """Yield a stream's pieces, for so long in all: pings must not keep a dead call alive."""
    deadline = clock.monotonic() + seconds
    try:
        for piece in reply.pieces():
            yield piece
            if clock.monotonic() > deadline:
                raise McpError(f"{server.name} did not answer within {seconds:.0f} s.")
    except PortError as error:
        if isinstance(error, McpError):
            raise
        raise McpError(f"{server.name}: {error}") from error


def _whole(reply: Reply, limit: int) -> bytes:
    found = b""
    try:
        for piece in reply.pieces():
            found += piece
            if len(found) >= limit:
                break
    except PortError as error:
        raise McpError(str(error)) from error
    return found


def _decode(data: bytes, server: Server) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise McpError(f"{server.name} sent what is not JSON: {data[:100]!r}") from None
    yield from found if isinstance(found, list) else [found]


def _events(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield (event, data) of a stream; unlike a model's streams these name their events."""
    rest, kind, data = b"", "", []
    for piece in pieces:
        rest += piece
        if len(rest) > _MAX_MESSAGE:
            raise McpError("The server sent a message without an end.")
        *lines, rest = rest.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data" and line:
                data.append(value)
            elif name == b"event" and line:
                kind = value.decode("ascii", "replace")
            elif not line:
                if data:
                    yield kind, b"\n".join(data)
                kind, data = "", []
    if data:
        yield kind, b"\n".join(data)
