"""The guard of outbound calls, and the HTTP client behind it."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sparrow.engine.ports import Cancel, HttpPart, HttpRequest, PortError
from sparrow.tools import outbound


class Echo(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("location", self.path[4:])
            self.send_header("content-length", "0")
            return self.end_headers()
        size = int(self.headers.get("content-length") or 0)
        data = f"{self.command} {self.path} {self.headers.get('host')} ".encode() + self.rfile.read(size)
        if self.path == "/big":
            data = b"x" * (3 << 20)
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET


@pytest.fixture
def url(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def send(url, method="GET", **kwargs):
    return outbound.Client().request(HttpRequest(method, url, **kwargs), Cancel())


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "fe80::1", "0.0.0.0",
                                     "::ffff:127.0.0.1", "100.100.100.200", "224.0.0.1", "fd00:ec2::254"])
def test_addresses_of_the_box_are_refused(address):
    with pytest.raises(outbound.Refused):
        outbound.check("x", address)


def test_the_lists(monkeypatch):
    assert outbound.check("lan", "192.168.1.5") == "192.168.1.5"
    monkeypatch.setenv("SPARROW_OUTBOUND_DENY", "192.168.0.0/16, evil.example")
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.0/8")
    assert outbound.check("x", "127.0.0.1") == "127.0.0.1"
    for host, address in [("lan", "192.168.1.5"), ("a.evil.example", "1.2.3.4")]:
        with pytest.raises(outbound.Refused, match="deny list"):
            outbound.check(host, address)


@pytest.mark.parametrize("place", ["http://localhost/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/"])
def test_other_spellings_of_loopback_are_refused(place):
    with pytest.raises(PortError):
        send(place)


def test_a_redirect_is_checked_too(url, monkeypatch):
    assert send(f"{url}/to?/ok").content.startswith(b"GET /ok")
    with pytest.raises(outbound.Refused, match=r"169\.254"):
        send(f"{url}/to?http://169.254.169.254/latest")
    with pytest.raises(PortError, match="redirects"):
        send(loop(url))


@pytest.mark.parametrize("place", ["http://[", "http://[x]/", "http://127.0.0.1:99999/", "http://127.0.0.1:x/",
                                   "http://a..b/", f"http://{'a' * 70}.example/"])
def test_what_is_no_address_is_said(url, place):
    with pytest.raises(PortError):
        send(place)
    with pytest.raises(PortError):
        send(f"{url}/to?{place}")


def loop(url):
    return f"{url}/to?" + "/to?" * 12 + "/x"


def test_bodies_and_parameters(url):
    assert send(f"{url}/a?b=1", params=[("q", "水"), ("q", "2")]).content.startswith(b"GET /a?b=1&q=%E6%B0%B4&q=2")
    assert send(url, "POST", form=[("a", "1 2")]).content.endswith(b"a=1+2")
    reply = send(url, "POST", parts=[HttpPart("f", filename="a.txt", content=b"hello"), HttpPart("t", "v")])
    assert b'filename="a.txt"' in reply.content
    assert b"hello" in reply.content


def test_limits_and_failures(url):
    with pytest.raises(PortError) as caught:
        send(f"{url}/big")
    assert caught.value.error_type == "HttpResponseSizeError"
    with pytest.raises(PortError, match="refused"):
        send("http://127.0.0.1:9/")
    with pytest.raises(PortError, match="must start"):
        send("ftp://127.0.0.1/")


def test_a_stop_ends_the_wait_for_a_reply(monkeypatch):
    server = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()
    begun = time.monotonic()
    with pytest.raises(PortError):
        outbound.Client().request(HttpRequest("GET", f"http://127.0.0.1:{server.getsockname()[1]}/"), cancel)
    assert time.monotonic() - begun < 3
    server.close()


def test_a_name_and_password_in_the_url_are_sent(monkeypatch):
    seen = []

    class Basic(Echo):
        def do_GET(self):
            seen.append(self.headers.get("authorization"))
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Basic)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SPARROW_OUTBOUND_ALLOW", "127.0.0.1")
    send(f"http://me:p%40ss@127.0.0.1:{server.server_port}/")
    assert seen == ["Basic bWU6cEBzcw=="]
    server.shutdown()
    server.server_close()
