"""gunicorn's threads, which stay with a connection for a moment after an answer and do not wait for ever for a body.

Under load the next request is on a kept-alive connection within milliseconds. gunicorn gives each connection back to
its main thread meanwhile: two hand-overs between threads and two turns of the main loop for every request, which
cost more than Flask does.
"""

from __future__ import annotations

import select
import time

from gunicorn.workers.gthread import ThreadWorker

from sparrow.errors import SparrowError

LINGER_MS = 20
# A body may take so long, and longer by what came of it: a client that trickles holds its thread no longer. (Of small
# bodies Caddy waits for the whole before it asks for a thread at all.)
GRACE_SECONDS = 60.0
BYTES_PER_SECOND = 2048


class Worker(ThreadWorker):
    """A gthread worker whose threads wait a little for the next request before they let go of a connection."""

    def handle(self, conn):
        """Answer a request, and those that follow at once; return what gunicorn is to do with the connection."""
        while (kept := super().handle(conn)) is True and self._follows(conn):
            pass
        return kept

    def handle_request(self, req, conn):
        """Answer one request, whose head has been read."""
        unreader = conn.parser.unreader
        unreader.sock = _Body(conn.sock)
        try:
            return super().handle_request(req, conn)
        finally:
            unreader.sock = conn.sock

    def _follows(self, conn) -> bool:
        if not self.alive or conn.parser.unreader.buf.getvalue() or self.tpool._work_queue.qsize():
            return False  # stopping; read ahead, which gunicorn looks after; or others wait for a thread
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(LINGER_MS))


class _Body:
    """A connection while the body of a request is read from it."""

    def __init__(self, sock):
        self._sock = sock
        self._until = time.monotonic() + GRACE_SECONDS

    def recv(self, size: int) -> bytes:
        """Return the next bytes; raise SparrowError when they take too long."""
        try:
            self._sock.settimeout(max(self._until - time.monotonic(), 0.001))
            data = self._sock.recv(size)
        except TimeoutError:
            raise SparrowError("The body of this request came too slowly.", code="request_timeout",
                               status=408) from None
        finally:
            self._sock.settimeout(None)
        self._until += len(data) / BYTES_PER_SECOND
        return data
