"""One conversation with an MCP server: initialize, list its tools, call one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparrow import __version__
from sparrow.engine.ports import Cancel, PortError, ToolMessage
from sparrow.tools.types import Use, failure

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MAX_TOOLS = 500
_NO_METHOD = -32601


class McpError(PortError):
    """The server cannot be reached, broke off, or refused."""

    error_type = "ToolInvokeError"


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach a server. `transport`: auto (streamable HTTP, else SSE), streamable_http, sse, stdio.

    `timeout` bounds the wait for a connection and for simple answers, `read_timeout` the call of a tool; seconds.
    """

    name: str
    transport: str = "auto"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    read_timeout: float = 300.0


class Transport(Protocol):
    """Carries JSON-RPC messages. `version` is the protocol's, once it is agreed."""

    version: str

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that has no answer."""

    def ask(self, message: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
        """Send a request; yield messages as they come, the answer among them."""

    def close(self) -> None:
        """End the conversation."""


class Session:
    """A conversation that has been opened."""

    def __init__(self, server: Server, transport: Transport):
        self.server, self.transport = server, transport
        self.info: dict[str, Any] = {}
        self._number = 0

    def initialize(self) -> None:
        """Agree on a version; raise McpError for a server that speaks none of ours."""
        self.info = self.ask("initialize", {
            "protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": {"name": "sparrow",
                                                                               "version": __version__}})
        version = self.info.get("protocolVersion")
        if version not in VERSIONS:
            raise McpError(f"{self.server.name} speaks version {version} of MCP; {', '.join(VERSIONS)} are known.")
        self.transport.version = str(version)
        self.transport.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Return the result of a request; answer what the server asks meanwhile."""
        self._number += 1
        number = self._number
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for answer in self.transport.ask(message, seconds or self.server.timeout):
            if not isinstance(answer, dict):
                continue
            if "method" in answer:
                if answer.get("id") is not None:
                    self._reply(answer)
                continue
            if answer.get("id") != number:
                continue
            if answer.get("error") is not None:
                error = answer["error"] if isinstance(answer["error"], dict) else {"message": answer["error"]}
                raise McpError(f"{self.server.name} refused {method}: {error.get('message') or error.get('code')}")
            result = answer.get("result")
            return result if isinstance(result, dict) else {}
        raise McpError(f"{self.server.name} ended the conversation without an answer to {method}.")

    def _reply(self, asked: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": _NO_METHOD, "message": "Sparrow does not offer this."}
        self.transport.send(answer)

    def tools(self) -> list[dict[str, Any]]:
        """Return the server's tools: dicts {name, title, description, inputSchema, outputSchema}."""
        found: list[dict[str, Any]] = []
        cursor: Any = None
        while len(found) < MAX_TOOLS:
            page = self.ask("tools/list", {"cursor": cursor} if cursor else {})
            items = page.get("tools")
            found += [_tool(item) for item in (items if isinstance(items, list) else [])
                      if isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"]]
            if not page.get("nextCursor") or page["nextCursor"] == cursor:
                break
            cursor = page["nextCursor"]
        return found[:MAX_TOOLS]

    def call(self, tool: str, arguments: dict[str, Any], use: Use) -> Iterator[ToolMessage]:
        """Call a tool and yield what it says; raise McpError when it says that it failed."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments}, self.server.read_timeout)
        content = result.get("content")
        items = [item for item in (content if isinstance(content, list) else []) if isinstance(item, dict)]
        if result.get("isError"):
            words = " ".join(str(item.get("text") or "") for item in items).strip()
            raise McpError(words or f"{tool} failed without saying why.")
        told = False
        for item in items:
            for message in _message(item, use):
                told = told or message.type == "text"
                yield message
        shaped = result.get("structuredContent")
        if shaped is not None:
            yield ToolMessage("json", shaped, hidden=told)
            if isinstance(shaped, dict):
                for name, value in shaped.items():
                    yield ToolMessage("variable", value, name=name, hidden=True)


def _tool(item: dict[str, Any]) -> dict[str, Any]:
    schema = item.get("inputSchema")
    return {"name": item["name"], "title": str(item.get("title") or ""),
            "description": str(item.get("description") or ""),
            "inputSchema": schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
            "outputSchema": item["outputSchema"] if isinstance(item.get("outputSchema"), dict) else None}


def _message(item: dict[str, Any], use: Use) -> Iterator[ToolMessage]:
    kind = item.get("type")
    if kind == "text":
        yield ToolMessage("text", str(item.get("text") or ""))
    elif kind in ("image", "audio"):
        yield from _bytes(item.get("data"), str(item.get("mimeType") or ""), kind, use)
    elif kind == "resource_link":
        yield ToolMessage("link", str(item.get("uri") or ""))
    elif kind == "resource" and isinstance(item.get("resource"), dict):
        resource = item["resource"]
        if isinstance(resource.get("text"), str):
            yield ToolMessage("text", resource["text"])
        else:
            name = str(resource.get("uri") or "file").rpartition("/")[2]
            yield from _bytes(resource.get("blob"), str(resource.get("mimeType") or ""), name or "file", use)


def _bytes(data: Any, mime_type: str, name: str, use: Use) -> Iterator[ToolMessage]:
    try:
        content = base64.b64decode(data or "")
    except (binascii.Error, ValueError, TypeError):
        raise McpError(f"The server sent a broken {name}.") from None
    if use.files is None:
        yield ToolMessage("text", f"[{mime_type or name}, {len(content)} bytes]")
    else:
        if "." not in name and "/" in mime_type:
            name = f"{name}.{mime_type.rpartition('/')[2].partition('+')[0]}"
        yield ToolMessage("file", use.files.save(content, name, mime_type or None))


@contextmanager
def session(server: Server, cancel: Cancel) -> Iterator[Session]:
    """Open a conversation, and end it. Raise McpError."""
    from sparrow.tools.mcp import http, stdio

    def begin(transport: Transport) -> Session:
        opened = Session(server, transport)
        try:
            opened.initialize()
        except BaseException:
            transport.close()
            raise
        return opened

    if server.transport == "stdio":
        opened = begin(stdio.Process(server, cancel))
    elif server.transport == "sse":
        opened = begin(http.Events(server, cancel))
    else:
        try:
            opened = begin(http.Streamable(server, cancel))
        except http.NotStreamable as error:
            if server.transport != "auto":
                raise
            try:  # a server of the first version of the protocol
                opened = begin(http.Events(server, cancel))
            except McpError:
                raise error from None
    try:
        yield opened
    finally:
        opened.transport.close()


def tools(server: Server, cancel: Cancel) -> list[dict[str, Any]]:
    """Return a server's tools; raise McpError."""
    with session(server, cancel) as opened:
        return opened.tools()


def call(server: Server, tool: str, arguments: dict[str, Any], use: Use) -> Iterator[ToolMessage]:
    """Call a tool in a conversation of its own."""
    if use.cancel.cancelled:
        raise failure("The run was stopped.")
    with session(server, use.cancel) as opened:
        yield from opened.call(tool, arguments, use)
