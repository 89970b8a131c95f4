"""Background jobs as rows, and the bell that wakes the worker.

A job is a row of `jobs`, added in the transaction of the change that needs it: it exists exactly if the change
does. Redis only carries the id as a hint. Losing Redis loses nothing: the worker also looks at the table.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids, settings
from sparrow.storage import db
from sparrow.storage.tables.jobs import jobs

log = logging.getLogger(__name__)

BELL = "sparrow:bell"  # the Redis list whose items are ids of new jobs
LIVE = ("queued", "running")


def add(tx: Connection, kind: str, payload: dict[str, Any], *, key: str = "") -> str:
    """Insert a queued job in an open write transaction and return its id; call `ring` then."""
    now = clock.now()
    job_id = ids.new_id()
    tx.execute(jobs.insert(), {"id": job_id, "kind": kind, "key": key, "payload": payload, "state": "queued",
                               "created_at": now, "updated_at": now})
    return job_id


def submit(kind: str, payload: dict[str, Any], *, key: str = "") -> str:
    """Add a job in a transaction of its own, ring the bell and return the id."""
    with db.write() as tx:
        job_id = add(tx, kind, payload, key=key)
    ring(job_id)
    return job_id


def ring(job_id: str) -> None:
    """Tell the worker of a new job, once it can see it: after the open transaction, if there is one.

    A failure is harmless: the worker looks at the table by itself, some seconds later.
    """
    db.after_commit(partial(_ring, job_id))


def _ring(job_id: str) -> None:
    try:
        _command(settings.get().redis_url, "LPUSH", BELL, job_id)
    except OSError as error:
        log.warning("the worker is not told of a new job, and will see it by itself: %s", error)


def queued(key: str) -> list[str]:
    """Return the ids of the jobs of a key that wait."""
    with db.read() as tx:
        return list(tx.execute(sa.select(jobs.c.id).where(jobs.c.key == key, jobs.c.state == "queued")).scalars())


def others_wait(key: str) -> bool:
    """Tell whether a job of another key waits."""
    with db.read() as tx:
        return tx.execute(sa.select(jobs.c.id).where(
            jobs.c.state == "queued", jobs.c.key != key).limit(1)).first() is not None


def cancel(key: str) -> int:
    """Cancel the live jobs of a key and return how many; a running one notices at its next step."""
    with db.write() as tx:
        return tx.execute(
            jobs.update().where(jobs.c.key == key, jobs.c.state.in_(LIVE))
            .values(state="cancelled", finished_at=clock.now(), updated_at=clock.now())).rowcount


def forget_attempts(tx: Connection, job_id: str) -> None:
    """Count the present attempt of a running job as its first, in an open write transaction."""
    tx.execute(jobs.update().where(jobs.c.id == job_id).values(attempts=1))


def is_cancelled(job_id: str) -> bool:
    """Tell whether a job was cancelled (or its row is gone)."""
    with db.read() as tx:
        state = tx.execute(sa.select(jobs.c.state).where(jobs.c.id == job_id)).scalar()
    return state in (None, "cancelled")


def _command(url: str, *words: str) -> bytes:
    """Send one Redis command (RESP) and return the first line of the reply.

    The API process needs this single command; redis-py would cost it 11 MB.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1.0)
        connection.connect(parts.path)
    elif parts.scheme == "redis":
        connection = socket.create_connection((parts.hostname or "localhost", parts.port or 6379), timeout=1.0)
    else:  # TLS and the like: the real client
        import redis

        try:
            with redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
                return str(client.execute_command(*words)).encode()
        except redis.exceptions.RedisError as error:
            raise OSError(str(error)) from error
    with connection:
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            _exchange(connection, "AUTH", *user, unquote(parts.password))
        if parts.path.strip("/").isdigit():
            _exchange(connection, "SELECT", parts.path.strip("/"))
        return _exchange(connection, *words)


def _exchange(connection: socket.socket, *words: str) -> bytes:
    encoded = [word.encode() for word in words]
    connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
    reply = connection.recv(4096)
    if reply.startswith(b"-"):
        raise OSError(reply[1:].decode(errors="replace").strip())
    return reply
