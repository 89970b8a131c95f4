"""What is no chat: embeddings, rerank, speech, moderation; the rest goes to its provider's protocol."""

from __future__ import annotations

import io
import re
import wave
from typing import TYPE_CHECKING, Any

from tests.fake_llm import anthropic, gemini
from tests.fake_llm.connection import Connection
from tests.fake_llm.script import ERRORS, bigrams, embedding

if TYPE_CHECKING:
    from tests.fake_llm.server import FakeLLM


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
        return anthropic.serve(server, c, body)
    calls = "generateContent|streamGenerateContent|batchEmbedContents"
    if match := re.search(rf"/v1beta/models/([^:/]+):({calls})", path):
        return gemini.serve(server, c, body, match[1], match[2])
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
