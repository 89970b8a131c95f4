"""What tools call in tests: MCP servers of the official SDK, and an HTTP service that tells what it was sent."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.api.service.conftest import live  # noqa: F401 - a fixture of these tests too


class Service(BaseHTTPRequestHandler):
    """A small API: `seen` keeps the requests."""

    seen: list[dict] = []

    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = {"method": self.command, "path": parts.path, "query": parse_qsl(parts.query),
                 "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body.decode()}
        self.seen.append(asked)
        if parts.path == "/broken":
            return self.answer(500, b"out of order", "text/plain")
        if parts.path == "/picture":
            return self.answer(200, b"\x89PNG\r\n", "image/png")
        if parts.path.endswith(".html"):
            return self.answer(200, "<html><head><title>标题</title></head><body><nav>menu</nav><p>正文</p>"
                                    "<script>x</script></body></html>".encode(), "text/html; charset=utf-8")
        if parts.path == "/robot":
            return self.answer(200, b'{"errcode": 0, "errmsg": "ok"}', "application/json")
        return self.answer(200, json.dumps(asked).encode(), "application/json")

    def answer(self, status, content, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET


@pytest.fixture
def service(monkeypatch):
    """The service's address; calls to the loopback are allowed."""
    Service.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def mcp_address():
    """The address of a server of the official SDK: /mcp streams, /sse is of the older kind."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from tests.unit.tools.mcp_program import server

    streamable = server.streamable_http_app()
    application = Starlette(routes=[*server.sse_app().routes, Mount("/", streamable)],
                            lifespan=streamable.router.lifespan_context)
    runner = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning"))
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    while not runner.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{runner.servers[0].sockets[0].getsockname()[1]}"
    runner.should_exit = runner.force_exit = True
    thread.join(5)
