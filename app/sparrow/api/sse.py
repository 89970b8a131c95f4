"""Server-sent events the way Dify frames them: one `data:` line an event, pings without data, no end mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from flask import Response

from sparrow.apps.live import Live

_encode = msgspec.json.Encoder().encode
PING = b"event: ping\n\n"
_INSIDE = {"inputs", "process_data", "outputs", "execution_metadata", "metadata", "pre_loop_output"}
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Connection": "keep-alive"}


def stream(run: Live, *, first_ping: bool = False, public: bool = False) -> Response:
    """Return a reply that follows a run. The client may leave; the run goes on.

    A `public` stream is for visitors of an app's page: what its nodes were given and made is left out.
    """
    return respond(_follow(run, first_ping, public))


def respond(pieces: Iterable[bytes]) -> Response:
    """Return a reply of framed events."""
    return Response(pieces, content_type="text/event-stream; charset=utf-8", headers=_HEADERS)


def frame(event: dict[str, Any]) -> bytes:
    """Return one event as it goes over the wire."""
    return b"data: " + _encode(event) + b"\n\n"


def reduced(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as visitors may see it: without prompts, inputs and outputs of nodes."""
    name = event["event"]
    if name == "agent_log":
        return {**event, "data": {**event["data"], "data": {}, "metadata": {}}}
    if name.startswith(("node_", "iteration_", "loop_")) or name == "workflow_started":
        return {**event, "data": {key: None if key in _INSIDE else value for key, value in event["data"].items()}}
    return event


def _follow(run: Live, first_ping: bool, public: bool) -> Iterator[bytes]:
    if first_ping:
        yield PING
    for batch in run.listen():
        yield b"".join([frame(reduced(event) if public else event) for event in batch]) if batch else PING
