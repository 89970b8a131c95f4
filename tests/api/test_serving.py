"""The API's own gunicorn worker: threads stay with a connection for a moment."""

from __future__ import annotations

import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers import gthread
from gunicorn.workers.gthread import TConn

from sparrow.api import serving
from sparrow.errors import SparrowError

REQUEST = b"GET /%d HTTP/1.1\r\nHost: box\r\n\r\n"


@pytest.fixture
def served():
    """A worker with a trivial application, the near end of a connection and its far one."""
    settings = Config()
    worker = serving.Worker(1, os.getppid(), [], None, 30, settings, Logger(settings))
    worker.tpool = worker.get_thread_pool()

    def application(environ, start_response):
        try:
            path = environ["PATH_INFO"].encode() + environ["wsgi.input"].read()
        except SparrowError as error:
            path = str(error.status).encode()
        start_response("200 OK", [("Content-Length", str(len(path)))])
        return [path]

    worker.wsgi = application
    near, far = socket.socketpair()
    far.settimeout(10)
    connection = TConn(settings, far, "", "/api.sock")
    connection.data_ready = True
    near.settimeout(10)
    yield worker, connection, near
    near.close()
    far.close()
    worker.tpool.shutdown()


def test_a_thread_answers_what_follows_at_once(served, monkeypatch):
    worker, connection, near = served
    monkeypatch.setattr(serving, "LINGER_MS", 10_000)
    kept = []
    thread = threading.Thread(target=lambda: kept.append(worker.handle(connection)))
    thread.start()
    for number in range(3):
        near.sendall(REQUEST % number)
        answer = b""
        while not answer.endswith(b"\r\n\r\n/%d" % number):
            piece = near.recv(65536)
            assert piece, answer
            answer += piece
    near.close()  # the thread sees that too, and gives the connection up
    thread.join(10)
    assert kept == [False]


def test_a_quiet_connection_goes_back(served, monkeypatch):
    worker, connection, near = served
    monkeypatch.setattr(serving, "LINGER_MS", 0)
    near.sendall(REQUEST % 1)
    assert worker.handle(connection) is True


def test_no_thread_stays_while_others_wait_for_one(served, monkeypatch):
    worker, connection, near = served
    monkeypatch.setattr(serving, "LINGER_MS", 10_000)
    released = threading.Event()
    for _ in range(worker.cfg.threads + 1):
        worker.tpool.submit(released.wait, 10)
    try:
        near.sendall(REQUEST % 1)
        assert worker.handle(connection) is True
    finally:
        released.set()


def test_a_stopping_worker_lets_go(served, monkeypatch):
    worker, connection, near = served
    monkeypatch.setattr(serving, "LINGER_MS", 10_000)
    worker.alive = False
    near.sendall(REQUEST % 1)
    assert worker.handle(connection) is False  # the answer said "Connection: close"


def answer_to(served, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send the head of a request and a body in pieces; return the whole answer."""
    worker, connection, near = served
    thread = threading.Thread(target=worker.handle, args=(connection,))
    near.sendall(b"POST / HTTP/1.1\r\nHost: box\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
    thread.start()
    for piece in pieces:
        near.sendall(piece)
        time.sleep(pause)
    thread.join(10)
    assert not thread.is_alive()
    connection.sock.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := near.recv(65536):
        answer += piece
    return answer


def test_a_body_may_take_its_time(served):
    assert answer_to(served, b"01234", b"56789", pause=0.1).endswith(b"/0123456789")


def test_a_body_that_trickles_is_given_up(served, monkeypatch):
    monkeypatch.setattr(serving, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT", 0.1)
    assert answer_to(served, b"0", b"1", b"2", b"3", pause=0.2).endswith(b"408")


class Trickle:
    """A connection whose pieces come after so many seconds each, by a clock of its own."""

    def __init__(self, *pieces: tuple[float, bytes]):
        self.now, self._pieces, self._patience = 0.0, iter(pieces), 0.0

    def settimeout(self, seconds: float | None) -> None:
        """Be patient for so long."""
        self._patience = seconds

    def recv(self, _size: int) -> bytes:
        """Return the next piece, or raise TimeoutError."""
        seconds, piece = next(self._pieces)
        self.now += min(seconds, self._patience)
        if seconds > self._patience:
            raise TimeoutError
        return piece


def test_what_came_of_a_body_buys_time_for_the_rest(monkeypatch):
    grace, pace = serving.GRACE_SECONDS, serving.BYTES_PER_SECOND
    trickle = Trickle((grace - 1, bytes(5 * pace)), (5, b"1"), (2, b"2"))
    monkeypatch.setattr(serving, "time", SimpleNamespace(monotonic=lambda: trickle.now))
    body = serving._Body(trickle)
    assert len(body.recv(65536)) == 5 * pace
    assert body.recv(65536) == b"1"
    with pytest.raises(SparrowError, match="too slowly"):
        body.recv(65536)
