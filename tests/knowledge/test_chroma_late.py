"""A Chroma that answers late, in part or not at all, and one whose address is none: questions do without it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sparrow import settings
from sparrow.knowledge import chroma
from sparrow.providers import wire

VECTOR = np.ones(4, dtype=np.float32)


@pytest.fixture
def at(data_dir, monkeypatch):
    """Point the settings at a Chroma; it is waited for a tenth as long as elsewhere."""
    def point(url: str) -> None:
        monkeypatch.setenv("SPARROW_CHROMA_URL", url)
        settings.reset()
        chroma.reset()

    usual = chroma.Timeouts
    monkeypatch.setattr(chroma, "Timeouts", lambda connect, first, idle: usual(connect * 10, first / 10, idle / 10))
    yield point
    chroma.reset()


@pytest.fixture
def stuck(at):
    """A Chroma that knows every collection, and after what it is told to say of one falls silent."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        begins = b""

        def log_message(self, *given):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b'{"id":"x"}')

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(self.begins)
            ended.wait(60)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        at(f"http://127.0.0.1:{server.server_port}")
        yield Handler
        ended.set()
        server.shutdown()
        thread.join()


def test_of_several_bases_one_is_waited_for(stuck, monkeypatch):
    """A question to ten bases waited ten times."""
    answers = [chroma.query(f"base{number}", 1, VECTOR, 3) for number in range(4)]
    waited, real = [], wire.Exchange.read_head
    monkeypatch.setattr(wire.Exchange, "read_head", lambda *given: waited.append(given) or real(*given))
    for answer in answers:
        with pytest.raises(chroma.Down):
            answer()
    assert len(waited) == 1


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"])
def test_a_slow_server_is_not_taken_for_a_damaged_one(stuck, begins):
    """What is damaged is made anew: that would take all the longer."""
    stuck.begins = begins
    with pytest.raises(chroma.Down) as caught:
        chroma.query("base", 1, VECTOR, 3)()
    assert caught.type is chroma.Down


@pytest.mark.parametrize("url", ["chroma:8000", "localhost", "http://", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_one_where_nobody_answers(at, url):
    at(url)
    assert not chroma.up()
    with pytest.raises(chroma.Down):
        chroma.query("base", 1, VECTOR, 3)
