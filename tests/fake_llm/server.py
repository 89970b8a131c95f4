"""The server: listens, keeps what it was asked, and sends each path to its kind."""

from __future__ import annotations

import json
import socket
import threading
import urllib.parse
from collections import deque
from typing import Any

from tests.fake_llm import chat, kinds
from tests.fake_llm.connection import Connection

MODELS = ["fake-llm", "fake-tool", "fake-vision", "fake-so", "fake-completion", "fake-reader", "fake-embed",
          "fake-rerank", "fake-whisper", "fake-tts", "fake-moderation"]


class FakeLLM:
    """The server. `requests` holds what was asked ({path, headers, body}), newest last; `left` counts
    clients that went away during a reply; `fault` ("kind:argument") applies to every request."""

    def __init__(self, port: int = 0, *, key: str | None = None, answers: dict[str, str] | None = None,
                 record: bool = True, host: str = "127.0.0.1"):
        self.key, self.answers, self.record = key, answers or {}, record
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)
        self.counters: dict[str, int] = {}
        self.fault = ""
        self.models = list(MODELS)
        self.left = 0
        self.accepted = 0
        self.stopping = threading.Event()
        self._open: set[Connection] = set()
        self._listener = socket.create_server((host, port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.base_url = f"{self.url}/v1"
        self._listening = threading.Thread(target=self._accept, daemon=True, name="fake-llm")
        self._listening.start()

    def __enter__(self) -> FakeLLM:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self.stopping.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.join()  # or it could go on with the number of this socket when the next one has it
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection = Connection(self, sock)
            self._open.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def handle(self, c: Connection) -> None:
        """Answer one request."""
        path, _, query = c.path.partition("?")
        body: Any = {}
        if c.body and c.headers.get("content-type", "").startswith("application/json"):
            try:
                body = json.loads(c.body)
            except ValueError:
                return c.error(400, "We could not parse the JSON body of your request.")
        if self.record and not path.startswith("/_"):
            self.requests.append({"method": c.method, "path": c.path, "headers": dict(c.headers),
                                  "body": body or c.body, "query": dict(urllib.parse.parse_qsl(query))})
        if path == "/_requests":
            return c.json([r if isinstance(r["body"], dict) else r | {"body": len(r["body"])}
                           for r in self.requests])
        if self.key and self.key not in (c.headers.get("authorization", "").removeprefix("Bearer "),
                                         c.headers.get("x-api-key"), c.headers.get("api-key"),
                                         c.headers.get("x-goog-api-key")):
            return c.error(401, "Incorrect API key provided", "invalid_request_error")
        if self.fault and chat.transport_fault(c, *self.fault.partition(":")[::2]):
            return None
        if c.method == "GET" and path.endswith("/models") and "/v1beta" not in path:
            return c.json({"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]})
        if path.endswith("/chat/completions"):
            return chat.serve(self, c, body, chat=True)
        if path.endswith("/completions"):
            return chat.serve(self, c, body, chat=False)
        return kinds.serve(self, c, path, body)
