"""Server-sent events the way Dify frames them: one `data:` line an event, pings without data, no end mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from flask import Response

from sparrow.apps.live import Live

_encode = msgspec.json.Encoder().encode
PING = b"event: ping\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Connection": "keep-alive"}


def stream(run: Live, *, first_ping: bool = False) -> Response:
    """Return a reply that follows a run. The client may leave; the run goes on."""
    return respond(_follow(run, first_ping))


def respond(pieces: Iterable[bytes]) -> Response:
    """Return a reply of framed events."""
    return Response(pieces, content_type="text/event-stream; charset=utf-8", headers=_HEADERS)


def frame(event: dict[str, Any]) -> bytes:
    """Return one event as it goes over the wire."""
    return b"data: " + _encode(event) + b"\n\n"


def _follow(run: Live, first_ping: bool) -> Iterator[bytes]:
    if first_ping:
        yield PING
    for batch in run.listen():
        yield b"".join([frame(event) for event in batch]) if batch else PING
