"""The MCP client against servers of the official SDK, and against broken ones."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sparrow.engine.ports import Cancel, PortError
from sparrow.tools.mcp import client, stdio
from sparrow.tools.types import Use

PROGRAM = str(Path(__file__).parent / "mcp_program.py")


@pytest.fixture(params=["auto", "streamable_http", "sse", "auto-sse", "stdio"])
def server(request, mcp_address, monkeypatch):
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    if request.param == "stdio":
        return client.Server("fixture", "stdio", command=(sys.executable, PROGRAM), environment={"FIXTURE": "me"})
    url = mcp_address + ("/sse" if "sse" in request.param else "/mcp")
    return client.Server("fixture", request.param.partition("-")[0], url)


def told(server, tool, **arguments):
    return [(m.type, m.value) for m in client.call(server, tool, arguments, Use(Cancel()))]


def test_lists_and_calls(server):
    tools = {tool["name"]: tool for tool in client.tools(server, Cancel())}
    assert set(tools) == {"add", "weather", "fail", "who.am-i/now"}
    assert tools["add"]["inputSchema"]["required"] == ["a"]
    assert told(server, "add", a=2, b=3)[0] == ("text", "2 + 3 = 5")
    found = told(server, "weather", city="杭州")
    assert ("variable", "晴") in found
    assert ("json", {"city": "杭州", "sky": "晴"}) in found
    with pytest.raises(PortError, match="too bad"):
        told(server, "fail", reason="too bad")
    with pytest.raises(PortError, match="nothing"):
        told(server, "nothing")


def test_a_program_sees_its_own_environment_only(data_dir):
    server = client.Server("fixture", "stdio", command=(sys.executable, PROGRAM), environment={"FIXTURE": "me"})
    assert told(server, "who.am-i/now")[0] == ("text", "me unseen")


def test_programs_that_do_not_work(data_dir):
    with pytest.raises(PortError, match="the fixture will not start"):
        client.tools(client.Server("x", "stdio", command=(sys.executable, PROGRAM, "--crash")), Cancel())
    with pytest.raises(PortError, match="cannot be started"):
        client.tools(client.Server("x", "stdio", command=("/no/such/program",)), Cancel())
    silent = client.Server("x", "stdio", command=("sleep", "60"), timeout=0.3)
    began = time.monotonic()
    with pytest.raises(PortError, match="did not answer within"):
        client.tools(silent, Cancel())
    assert time.monotonic() - began < 3


def test_stopping_ends_the_program():
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(PortError):
        client.tools(client.Server("x", "stdio", command=("sleep", "60")), cancel)
    assert time.monotonic() - began < 3


def test_programs_are_those_of_the_file(data_dir):
    assert stdio.configured() == {}
    (data_dir / "config" / "mcp.json").write_text(json.dumps({"mcpServers": {
        "one": {"command": "python3", "args": ["x.py"], "env": {"K": 1}}}}))
    assert stdio.configured()["one"].command == ("python3", "x.py")
    (data_dir / "config" / "mcp.json").write_text("{")
    with pytest.raises(PortError, match=r"mcp\.json"):
        stdio.configured()


class Odd(BaseHTTPRequestHandler):
    """Answers every POST as `reply` says."""

    reply = (200, "application/json", b"{}")

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, kind, content = self.reply
        self.send_response(status)
        self.send_header("content-type", kind)
        if status == 307:
            self.send_header("location", "http://169.254.169.254/mcp")
        self.end_headers()
        self.wfile.write(content)
        if kind == "text/event-stream" and not content:
            for _ in range(40):
                time.sleep(0.1)
                self.wfile.write(b": ping\n\n")
                self.wfile.flush()

    do_GET = do_POST


@pytest.mark.parametrize(("reply", "words"), [
    ((200, "application/json", b"{}"), "without an answer"),
    ((200, "text/html", b"<html>"), "did not answer in JSON"),
    ((200, "text/event-stream", b"data: {\n\n"), "not JSON"),
    ((200, "text/event-stream", b""), "within 0 s"),
    ((401, "text/plain", b"no"), "refused the key"),
    ((500, "text/plain", b"oops"), "answered 500: oops"),
    ((307, "text/plain", b""), "not allowed"),
    ((200, "application/json", b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"1999-01-01"}}'), "1999-01-01"),
    ((200, "application/json", b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"closed"}}'), "closed"),
])
def test_broken_servers(reply, words, monkeypatch):
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    monkeypatch.setattr(Odd, "reply", reply)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(PortError, match=words):
            client.tools(client.Server("odd", "streamable_http", f"http://127.0.0.1:{server.server_port}/mcp",
                                       timeout=0.4), Cancel())
    finally:
        server.shutdown()


def test_the_box_itself_is_not_called():
    with pytest.raises(PortError, match="not allowed"):
        client.tools(client.Server("x", "auto", "http://127.0.0.1:1/mcp"), Cancel())
