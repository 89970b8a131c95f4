"""Anthropic's messages protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fake_llm.chat import refuse
from tests.fake_llm.connection import Connection
from tests.fake_llm.script import PIECES, plan

if TYPE_CHECKING:
    from tests.fake_llm.server import FakeLLM


def _thoughts_missing(messages: list[dict]) -> str:
    """Return Anthropic's complaint of a tool call that came back without the signed thoughts before it."""
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else []
        if message["role"] == "assistant" and any(block["type"] == "tool_use" for block in blocks):
            kinds = [block["type"] for block in blocks]
            if kinds[0] not in ("thinking", "redacted_thinking"):
                return f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`"
            if any(block["type"] == "thinking" and block.get("signature") != f"signed {block['thinking']}"
                   for block in blocks):
                return "Invalid `signature` in `thinking` block"
    return ""


def serve(server: FakeLLM, c: Connection, body: dict) -> None:
    """Answer Anthropic's messages call."""
    messages = []
    system = body.get("system")
    if system:
        messages.append({"role": "system", "content": system if isinstance(system, str) else
                         [{"type": "text", "text": part["text"]} for part in system]})
    for message in body.get("messages") or []:
        content = message["content"]
        if isinstance(content, list) and any(part["type"] == "tool_result" for part in content):
            messages += [{"role": "tool", "content": part["content"]} for part in content
                         if part["type"] == "tool_result"]
        else:
            messages.append({"role": message["role"], "content": content})
    p = plan(messages, body.get("tools"), server.counters, answers=server.answers,
             model=body.get("model") or "")
    problem = "" if body.get("max_tokens") else "max_tokens: Field required"
    if body.get("thinking"):
        problem = problem or _thoughts_missing(body["messages"])
    if problem:
        return c.json({"type": "error", "error": {"type": "invalid_request_error", "message": problem}}, 400)
    if refuse(c, p):
        return None
    stop = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}.get(p.finish, p.finish)
    blocks: list[dict[str, Any]] = []
    if p.reason:
        blocks.append({"type": "thinking", "thinking": p.reason, "signature": f"signed {p.reason}"})
        blocks.append({"type": "redacted_thinking", "data": "hidden"})
    if p.text:
        blocks.append({"type": "text", "text": p.text})
    blocks += [{"type": "tool_use", "id": f"call_{i + 1}", "name": call["name"],
                "input": json.loads(call["arguments"])} for i, call in enumerate(p.tool_calls)]
    usage = {"input_tokens": p.prompt_tokens, "output_tokens": p.completion_tokens}
    message = {"id": "msg_fake", "type": "message", "role": "assistant", "model": body.get("model")}
    if not body.get("stream"):
        return c.json(message | {"content": blocks, "stop_reason": stop, "usage": usage})

    def event(kind: str, **fields: Any) -> None:
        if p.slow_ms and kind == "content_block_delta":
            c.sleep(p.slow_ms / 1000)
        data = json.dumps({"type": kind} | fields, ensure_ascii=False)
        c.chunk(f"event: {kind}\ndata: {data}\n\n".encode())

    c.start_stream()
    event("message_start", message=message | {"content": [], "usage": usage | {"output_tokens": 1}})
    event("ping")
    for i, block in enumerate(blocks):
        if block["type"] == "text":
            event("content_block_start", index=i, content_block={"type": "text", "text": ""})
            for piece in p.chunks:
                event("content_block_delta", index=i, delta={"type": "text_delta", "text": piece})
        elif block["type"] == "thinking":
            event("content_block_start", index=i, content_block={"type": "thinking", "thinking": "", "signature": ""})
            for piece in PIECES.findall(p.reason):
                event("content_block_delta", index=i, delta={"type": "thinking_delta", "thinking": piece})
            event("content_block_delta", index=i, delta={"type": "signature_delta", "signature": block["signature"]})
        elif block["type"] == "redacted_thinking":
            event("content_block_start", index=i, content_block=block)
        else:
            event("content_block_start", index=i, content_block=block | {"input": {}})
            text = json.dumps(block["input"], ensure_ascii=False)
            for piece in (text[:5], text[5:]):
                event("content_block_delta", index=i,
                      delta={"type": "input_json_delta", "partial_json": piece})
        event("content_block_stop", index=i)
    event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": p.completion_tokens})
    event("message_stop")
    c.chunk(b"")
    return None
