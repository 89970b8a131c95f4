"""Chat completions, whole and streamed, and the faults of the transport."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from tests.fake_llm.connection import Closed, Connection
from tests.fake_llm.script import ERRORS, PIECES, Plan, plan

if TYPE_CHECKING:
    from tests.fake_llm.server import FakeLLM


def transport_fault(c: Connection, kind: str, argument: str = "") -> bool:
    """Misbehave before any reply; return whether the request is dealt with."""
    if kind == "hang":
        c.sleep(float(argument or 3600))
        raise Closed
    if kind == "reset":
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed
    if kind == "garbage":
        c.reply("<!doctype html><title>欢迎</title><h1>It works!</h1>".encode(), content_type="text/html")
    elif kind == "empty":
        c.reply(b"")
    elif kind == "retry_after":
        c.error(429, "fake rate limit", "rate_limit", retry_after=argument or "1")
    elif kind in ERRORS:
        status, text = ERRORS[kind]
        c.error(status, text, kind)
    else:
        return False
    return True


def refuse(c: Connection, p: Plan) -> bool:
    """Wait, then fail, as the plan has it; return whether the request is dealt with."""
    if p.first_ms:
        c.sleep(p.first_ms / 1000)
    if p.error:
        status, text = ERRORS.get(p.error, ERRORS["server"])
        c.json({"type": "error", "error": {"type": p.error, "message": text}}, status)
        return True
    return bool(p.fault) and transport_fault(c, p.fault, p.fault_arg)


def serve(server: FakeLLM, c: Connection, body: dict, *, chat: bool) -> None:
    """Answer `/chat/completions` and `/completions`, streaming or not."""
    messages = body.get("messages") if chat else [{"role": "user", "content": body.get("prompt") or ""}]
    p = plan(messages or [], body.get("tools"), server.counters, answers=server.answers,
             model=body.get("model") or "")
    if p.first_ms:
        c.sleep(p.first_ms / 1000)
    if p.error:
        status, text = ERRORS.get(p.error, ERRORS["server"])
        return c.error(status, text, p.error)
    if p.fault and transport_fault(c, p.fault, p.fault_arg):
        return None
    base = {"id": "chatcmpl-fake", "object": "chat.completion" if chat else "text_completion",
            "created": int(time.time()), "model": body.get("model")}
    calls = [{"index": i, "id": f"call_{i + 1}", "type": "function", "function": call}
             for i, call in enumerate(p.tool_calls)]
    if not body.get("stream") or p.fault == "one_json":
        if p.slow_ms:
            c.sleep(p.slow_ms * len(p.chunks) / 1000)
        message: dict[str, Any] = {"role": "assistant", "content": p.text}
        if calls:
            message["tool_calls"] = calls
        if p.reason:
            message["reasoning_content"] = p.reason
        said = {"message": message} if chat else {"text": p.text}
        return c.json(base | {"choices": [{"index": 0, "finish_reason": p.finish} | said], "usage": p.usage})
    _stream(c, p, base | {"object": "chat.completion.chunk" if chat else "text_completion"}, calls,
                chat=chat, with_usage=bool((body.get("stream_options") or {}).get("include_usage")))
    return None


def _stream(c: Connection, p: Plan, base: dict, calls: list[dict], *,
                chat: bool, with_usage: bool) -> None:
    """Stream a chat reply as server-sent events, with the fault the plan names."""
    head = json.dumps(base, ensure_ascii=False)[:-1] + ', "choices": '
    end = "\r\n" if p.fault == "crlf" else "\n"

    def event(delta: dict, finish: str | None = None) -> bytes:
        part = {"delta": delta} if chat else {"text": delta.get("content", "")}
        if p.fault == "null_fields":
            part = {"delta": {"role": None, "content": None, "tool_calls": None} | delta, "logprobs": None}
        choices = json.dumps([{"index": 0, "finish_reason": finish} | part], ensure_ascii=False)
        null = ', "usage": null, "error": null' if p.fault == "null_fields" else ""
        return f"data: {head}{choices}{null}}}{end}{end}".encode()

    events = []
    if p.reason:
        events += [event({"reasoning_content": piece}) for piece in PIECES.findall(p.reason)]
    events += [event({"content": piece}) for piece in p.chunks]
    if calls:
        events.append(event({"tool_calls": calls}))
    tail = [event({}, p.finish)]
    if with_usage:
        tail.append(f'data: {head}[], "usage": {json.dumps(p.usage)}}}{end}{end}'.encode())
    if p.fault != "no_done":
        tail.append(f"data: [DONE]{end}{end}".encode())
    c.start_stream()
    if not p.slow_ms and not p.fault:
        data = b"".join(events + tail)
        return c.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
    at = int(p.fault_arg) if p.fault_arg.isdigit() else 1
    for i, data in enumerate(events):
        if i == at and p.fault in ("hang_stream", "cut_json", "cut", "stream_error"):
            break
        if p.slow_ms:
            c.sleep(p.slow_ms / 1000)
        if p.fault == "bytewise":
            for k in range(len(data)):
                c.chunk(data[k:k + 1])
        elif p.fault == "crlf":
            c.chunk(b": keep-alive\r\n\r\nevent: message\r\nid: 1\r\n" + data)
        else:
            c.chunk(data)
    if p.fault == "hang_stream":
        c.sleep(3600)
    elif p.fault == "cut_json":
        c.chunk(events[-1][:-12])
        raise Closed
    elif p.fault == "cut_utf8":
        c.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"' + "水".encode()[:2])
        raise Closed
    elif p.fault == "cut":
        raise Closed
    elif p.fault == "stream_error":
        c.chunk(b'data: {"error": {"message": "fake error in the stream", "code": 500}}\n\n')
    elif p.fault == "garbage_stream":
        c.chunk("data: <html>不是 JSON</html>\n\n".encode())
    elif p.fault == "huge":
        for _ in range((at if p.fault_arg else 8) * 16):
            c.chunk(b"data: " + b"x" * 65536 if _ == 0 else b"x" * 65536)
    for data in tail:
        c.chunk(data)
    c.chunk(b"")
