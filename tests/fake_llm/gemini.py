"""Gemini's protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fake_llm.chat import refuse
from tests.fake_llm.connection import Connection
from tests.fake_llm.script import embedding, plan

if TYPE_CHECKING:
    from tests.fake_llm.server import FakeLLM


def serve(server: FakeLLM, c: Connection, body: dict, model: str, call: str) -> None:
    """Answer Gemini's generateContent, its streaming form, and batchEmbedContents."""
    if call == "batchEmbedContents":
        texts = [r["content"]["parts"][0]["text"] for r in body.get("requests") or []]
        return c.json({"embeddings": [{"values": embedding(text)} for text in texts]})
    messages: list[dict[str, Any]] = []
    if body.get("systemInstruction"):
        messages.append({"role": "system", "content": _parts(body["systemInstruction"])})
    for content in body.get("contents") or []:
        answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        if answers:
            messages += [{"role": "tool", "content": str(a["response"].get("result", a["response"]))}
                         for a in answers]
        else:
            messages.append({"role": {"model": "assistant"}.get(content["role"], content["role"]),
                             "content": _parts(content)})
    tools = [f for t in body.get("tools") or [] for f in t.get("functionDeclarations") or []]
    p = plan(messages, tools, server.counters, answers=server.answers, model=model)
    if refuse(c, p):
        return None
    finish = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}.get(p.finish, p.finish)
    usage = {"promptTokenCount": p.prompt_tokens, "candidatesTokenCount": p.completion_tokens,
             "totalTokenCount": p.prompt_tokens + p.completion_tokens}
    thoughts = [{"text": p.reason, "thought": True}] if p.reason else []
    calls = [{"functionCall": {"name": t["name"], "args": json.loads(t["arguments"])}} for t in p.tool_calls]
    if calls and p.reason:
        calls[0]["thoughtSignature"] = f"signed {p.reason}"

    def reply(parts: list[dict], **more: Any) -> dict:
        return {"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}} | more],
                "usageMetadata": usage, "modelVersion": model}

    if call == "generateContent":
        text = [{"text": p.text}] if p.text else []
        return c.json(reply(thoughts + text + calls, finishReason=finish))
    c.start_stream()
    steps = [[t] for t in thoughts] + [[{"text": piece}] for piece in p.chunks] + ([calls] if calls else [])
    for parts in steps:
        if p.slow_ms:
            c.sleep(p.slow_ms / 1000)
        c.chunk(f"data: {json.dumps(reply(parts), ensure_ascii=False)}\r\n\r\n".encode())
    c.chunk(f"data: {json.dumps(reply([], finishReason=finish))}\r\n\r\n".encode())
    c.chunk(b"")
    return None


def _parts(content: dict) -> list[dict]:
    return [{"type": "text", "text": part["text"]} if "text" in part else {"type": "image"}
            for part in content["parts"]]
