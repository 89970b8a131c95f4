"""HTTP over a raw socket, one thread a connection."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fake_llm.server import FakeLLM


class Closed(Exception):
    """The connection is gone, or the script ends it here."""


class Connection:
    """One client connection: reads requests, writes replies, keeps alive."""

    def __init__(self, server: FakeLLM, sock: socket.socket):
        self.server, self.sock, self.buffer = server, sock, b""
        self.method = self.path = ""
        self.headers: dict[str, str] = {}
        self.body = b""

    def run(self) -> None:
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._read_request():
                self.server.handle(self)
        except (Closed, OSError):
            pass
        finally:
            self.server.forget(self)
            self.sock.close()

    def _read_request(self) -> bool:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            data = self.sock.recv(65536)
            if not data:
                return False
            self.buffer += data
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        self.buffer = self.buffer[end + 4:]
        self.method, self.path, _ = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if self.headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self.body = self._read_chunked()
            return True
        length = int(self.headers.get("content-length") or 0)
        self._fill(length)
        self.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return True

    def _fill(self, length: int) -> None:
        if len(self.buffer) >= length:
            return
        pieces, have = [self.buffer], len(self.buffer)
        while have < length:
            data = self.sock.recv(262144)
            if not data:
                raise Closed
            pieces.append(data)
            have += len(data)
        self.buffer = b"".join(pieces)

    def _read_chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._fill(len(self.buffer) + 1)
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            self._fill(size + 2)
            body, self.buffer = body + self.buffer[:size], self.buffer[size + 2:]
            if not size:
                return body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, body: bytes, status: int = 200, content_type: str = "application/json",
              **headers: str) -> None:
        """Send a whole reply."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{more}"
                  f"content-length: {len(body)}\r\n\r\n".encode() + body)

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.reply(json.dumps(value, ensure_ascii=False).encode(), status, **headers)

    def error(self, status: int, message: str, kind: str = "fake", **headers: str) -> None:
        error = {"message": message, "type": kind, "param": None, "code": kind}
        self.json({"error": error}, status, **headers)

    def start_stream(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  b"transfer-encoding: chunked\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        """Send one piece of a stream begun by `start_stream`; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def sleep(self, seconds: float) -> None:
        """Wait, noticing when the server stops or the client leaves (which is recorded)."""
        until = time.monotonic() + seconds
        self.sock.settimeout(0.02)
        try:
            while (left := until - time.monotonic()) > 0:
                if self.server.stopping.is_set():
                    raise Closed
                try:
                    if self.sock.recv(1, socket.MSG_PEEK) == b"":
                        self.server.left += 1
                        raise Closed
                    time.sleep(min(left, 0.02))
                except TimeoutError:
                    pass
                except ConnectionError:
                    self.server.left += 1
                    raise Closed
        finally:
            self.sock.settimeout(None)
