"""gunicorn's threads, which stay with a connection for a moment after an answer.

Under load the next request is on a kept-alive connection within milliseconds. gunicorn gives each connection back to
its main thread meanwhile: two hand-overs between threads and two turns of the main loop for every request, which
cost more than Flask does.
"""

from __future__ import annotations

import select

from gunicorn.workers.gthread import ThreadWorker

LINGER_MS = 20


class Worker(ThreadWorker):
    """A gthread worker whose threads wait a little for the next request before they let go of a connection."""

    def handle(self, conn):
        """Answer a request, and those that follow at once; return what gunicorn is to do with the connection."""
        while (kept := super().handle(conn)) is True and self._follows(conn):
            pass
        return kept

    def _follows(self, conn) -> bool:
        if not self.alive or conn.parser.unreader.buf.getvalue() or self.tpool._work_queue.qsize():
            return False  # stopping; read ahead, which gunicorn looks after; or others wait for a thread
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(LINGER_MS))
