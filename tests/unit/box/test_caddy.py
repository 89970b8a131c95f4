"""Caddy with the real Caddyfile, before a small server that stands in for the API on its Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sparrow import settings
from sparrow.box import binaries, pages, tls
from sparrow.errors import Unavailable

try:
    binaries.caddy()
except Unavailable as error:
    pytest.skip(error.message, allow_module_level=True)


class Api(BaseHTTPRequestHandler):
    """Answers what the tests ask for."""

    protocol_version = "HTTP/1.1"
    received = 0

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/stream":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number in range(3):
                self.wfile.write(f"data: {number} {'x' * 600}\n\n".encode())
                self.wfile.flush()
                time.sleep(0.4)
            return
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                           "filler": "sparrow " * 500}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path.startswith("/files") else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        left, first = int(self.headers["Content-Length"]), None
        while left:
            data = self.rfile.read1(min(left, 65536))
            first = first or time.monotonic()
            left -= len(data)
        body = json.dumps({"seconds": time.monotonic() - first}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """Return the HTTP port of a Caddy started as `sparrow dev` starts it."""
    folder = tmp_path_factory.mktemp("front")
    web = folder / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<title>console</title>" + "<p>sparrow</p>" * 100)
    (web / "assets" / "main-1a2b3c.js").write_text("console.log('sparrow');" * 100)
    ports = [_free(), _free()]
    given = {"SPARROW_DEV": "1", "SPARROW_DATA_DIR": str(folder / "data"), "SPARROW_RUN_DIR": str(folder / "run"),
             "SPARROW_BIND": "127.0.0.1", "SPARROW_HTTP_PORT": str(ports[0]), "SPARROW_HTTPS_PORT": str(ports[1]),
             "SPARROW_WEB_DIR": str(web), "SPARROW_MAX_UPLOAD_MB": "8"}
    box = settings.load(given)
    for place in (box.run_dir / "caddy", box.public_dir):
        place.mkdir(parents=True)
    tls.ensure(box)
    pages.write(box)
    os.chdir(box.run_dir)  # the path of a socket is short
    server = socketserver.ThreadingUnixStreamServer("api.sock", Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    caddy = subprocess.Popen([sys.executable, "-m", "sparrow.box.launch", "caddy"],
                             env={"PATH": os.environ["PATH"]} | given, stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", ports[0]), 1).close()
                break
            except OSError:
                assert caddy.poll() is None, caddy.stderr.read().decode()
                time.sleep(0.05)
        yield ports[0], box
    finally:
        caddy.terminate()
        caddy.wait(10)
        server.shutdown()
        os.chdir(Path(__file__).resolve().parents[3])


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _get(front, path: str, **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", front[0], timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()


@pytest.mark.parametrize("path", ["/v1/info", "/api/site", "/console/api/session", "/mcp", "/mcp/x", "/health",
                                  "/openapi.json", "/files/x.html"])
def test_the_api_gets_its_paths_as_they_are(front, path):
    status, _, body = _get(front, path + "?a=1")
    assert (status, json.loads(body)["path"]) == (200, path + "?a=1")


def test_a_client_cannot_lie_about_its_address(front):
    headers = json.loads(_get(front, "/v1/info", X_Forwarded_For="6.6.6.6")[2])["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("encoding", ["identity", "zstd, gzip"])
def test_every_event_of_a_stream_arrives_when_it_is_sent(front, encoding):
    connection = http.client.HTTPConnection("127.0.0.1", front[0], timeout=10)
    started = time.monotonic()
    connection.request("GET", "/v1/stream", headers={"Accept-Encoding": encoding})
    reply = connection.getresponse()
    assert reply.getheader("Content-Encoding") is None
    moments = []
    while line := reply.readline():
        if line.startswith(b"data"):
            moments.append(time.monotonic() - started)
    assert moments[0] < 0.3
    assert moments[1] - moments[0] > 0.2
    assert moments[2] - moments[1] > 0.2


@pytest.mark.parametrize(("accepted", "sent"), [("zstd, gzip", "zstd"), ("gzip", "gzip")])
def test_answers_and_pages_are_compressed(front, accepted, sent):
    for path in ("/v1/info", "/", "/assets/main-1a2b3c.js"):
        assert _get(front, path, Accept_Encoding=accepted)[1].get("content-encoding") == sent, path


def test_pages_of_the_console_are_its_one_page_and_assets_are_kept_for_ever(front):
    for path in ("/", "/apps/123/chat", "/setup"):
        status, headers, body = _get(front, path)
        assert (status, b"console" in body, headers["cache-control"]) == (200, True, "no-cache")
    status, headers, _ = _get(front, "/assets/main-1a2b3c.js")
    assert (status, "immutable" in headers["cache-control"]) == (200, True)
    assert headers["content-type"].startswith("text/javascript")
    assert _get(front, "/assets/gone-000000.js")[0] == 404


def test_security_headers(front):
    headers = _get(front, "/")[1]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers  # the box's authority may not be trusted yet
    assert "server" not in headers
    assert "frame-ancestors *" in _get(front, "/chatbot/abc")[1]["content-security-policy"]
    assert "default-src 'none'" in _get(front, "/files/x.html")[1]["content-security-policy"]


def test_a_small_body_is_handed_on_when_all_of_it_is_there(front):
    connection = http.client.HTTPConnection("127.0.0.1", front[0], timeout=20)
    connection.putrequest("POST", "/console/api/login")
    connection.putheader("Content-Length", "200")
    connection.endheaders()
    for _ in range(4):
        connection.send(b"x" * 50)
        time.sleep(0.5)
    assert json.loads(connection.getresponse().read())["seconds"] < 1  # no thread of the API has waited


def test_a_large_upload_is_streamed_and_a_too_large_one_refused(front):
    connection = http.client.HTTPConnection("127.0.0.1", front[0], timeout=20)
    connection.putrequest("POST", "/console/api/files/upload")
    connection.putheader("Content-Length", str(4 << 20))
    connection.endheaders()
    for part in range(4):
        connection.send(b"x" * (1 << 20))
        time.sleep(0.2 if part < 3 else 0)
    reply = connection.getresponse()
    assert reply.status == 200
    assert json.loads(reply.read())["seconds"] > 0.4  # its first byte came long before its last

    connection = http.client.HTTPConnection("127.0.0.1", front[0], timeout=20)
    connection.putrequest("POST", "/console/api/files/upload")
    connection.putheader("Content-Length", str(9 << 20))
    connection.endheaders()
    try:
        for _ in range(9):
            connection.send(b"x" * (1 << 20))
    except OSError:
        pass  # refused before the end
    reply = connection.getresponse()
    assert reply.status == 413
    assert json.loads(reply.read())["code"] == "file_too_large"


def test_the_certificate_page_is_whole(front):
    status, headers, body = _get(front, "/ca")
    assert status == 200
    assert "script" not in body.decode()
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "信任这台 Sparrow" in body.decode()
    assert "Trust this Sparrow" in body.decode()
