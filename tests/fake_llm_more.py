"""The rarer answers of the fake provider: embeddings, rerank, speech, moderation, Anthropic and Gemini."""

from __future__ import annotations

import io
import json
import re
import wave
from typing import Any

from tests.fake_llm import ERRORS, PIECES, Connection, FakeLLM, Plan, bigrams, embedding, plan, transport_fault


def serve(server: FakeLLM, c: Connection, path: str, body: Any) -> None:
    """Answer what `FakeLLM.handle` does not know itself."""
    if path.endswith("/embeddings"):
        return embeddings(c, body)
    if path.endswith("/rerank"):
        return rerank(c, body)
    if path.endswith("/audio/transcriptions"):
        return c.json({"text": f"transcribed {len(c.body)} bytes"})
    if path.endswith("/audio/speech"):
        return c.reply(silence(), content_type="audio/wav")
    if path.endswith("/moderations"):
        texts = body.get("input") if isinstance(body.get("input"), list) else [body.get("input") or ""]
        flags = [bool(re.search(r"\bkill\b|杀人", text)) for text in texts]
        results = [{"flagged": f, "categories": {"violence": f}, "category_scores": {"violence": float(f)}}
                   for f in flags]
        return c.json({"id": "modr-fake", "model": body.get("model"), "results": results})
    if path.endswith("/messages"):
        return anthropic(server, c, body)
    calls = "generateContent|streamGenerateContent|batchEmbedContents"
    if match := re.search(rf"/v1beta/models/([^:/]+):({calls})", path):
        return gemini(server, c, body, match[1], match[2])
    if path.endswith("/v1beta/models"):
        return c.json({"models": [{"name": f"models/{m}", "displayName": m, "inputTokenLimit": 1000}
                                  for m in server.models]})
    return c.error(404, f"Invalid URL ({c.method} {path})", "invalid_request_error")


def embeddings(c: Connection, body: dict) -> None:
    """Answer OpenAI's embeddings call; base64 when asked for."""
    import base64
    import struct

    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts or []
    if any("<<error:" in text for text in texts):
        status, text = ERRORS["server"]
        return c.error(status, text)
    size = int(body.get("dimensions") or 64)
    vectors = [embedding(text, size) for text in texts]
    if body.get("encoding_format") == "base64":
        data: list[Any] = [base64.b64encode(struct.pack(f"<{size}f", *v)).decode() for v in vectors]
    else:
        data = vectors
    tokens = sum(len(text.split()) for text in texts)
    return c.json({"object": "list", "model": body.get("model"),
                   "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(data)],
                   "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


def rerank(c: Connection, body: dict) -> None:
    """Answer the rerank call of Jina and Cohere: the share of the query's words each document holds."""
    wanted = bigrams(body.get("query") or "") or {""}
    documents = [d if isinstance(d, str) else d.get("text", "") for d in body.get("documents") or []]
    scored = sorted(((len(wanted & bigrams(d)) / len(wanted), i) for i, d in enumerate(documents)),
                    key=lambda x: (-x[0], x[1]))
    results = [{"index": i, "relevance_score": score} for score, i in scored[: body.get("top_n") or None]]
    return c.json({"model": body.get("model"), "results": results, "usage": {"total_tokens": 1}})


def silence(seconds: float = 0.1) -> bytes:
    """Return a WAV file of silence."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * int(8000 * seconds))
    return out.getvalue()


def _refuse(c: Connection, p: Plan) -> bool:
    if p.first_ms:
        c.sleep(p.first_ms / 1000)
    if p.error:
        status, text = ERRORS.get(p.error, ERRORS["server"])
        c.json({"type": "error", "error": {"type": p.error, "message": text}}, status)
        return True
    return bool(p.fault) and transport_fault(c, p.fault, p.fault_arg)


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


def anthropic(server: FakeLLM, c: Connection, body: dict) -> None:
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
    if _refuse(c, p):
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


def gemini(server: FakeLLM, c: Connection, body: dict, model: str, call: str) -> None:
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
    if _refuse(c, p):
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
