"""The API's own gunicorn worker: threads stay with a connection for a moment."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from sparrow.api import serving

REQUEST = b"GET /%d HTTP/1.1\r\nHost: box\r\n\r\n"


@pytest.fixture
def served():
    """A worker with a trivial application, the near end of a connection and its far one."""
    settings = Config()
    worker = serving.Worker(1, os.getppid(), [], None, 30, settings, Logger(settings))
    worker.tpool = worker.get_thread_pool()

    def application(environ, start_response):
        path = environ["PATH_INFO"].encode()
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
