#!/usr/bin/env python3
"""A scripted stand-in for model providers, speaking OpenAI's HTTP protocol (and Anthropic's and Gemini's).

    python tests/fake_llm.py --port 0 [--key SECRET] [--answers FILE.json] [--no-record]

prints `listening on http://127.0.0.1:PORT/v1` and serves until it is ended. In tests: `with FakeLLM() as
fake: fake.base_url`. Standard library only; one thread a connection over raw sockets, keep-alive, so that
a benchmark measures Sparrow and not this server.

What it answers is decided by the last user message, as the golden corpus has it (`dify-golden/README.md`):
`<<say:TEXT>>`, `<<tool:NAME:JSON>>`, `<<error:KIND>>`, `<<fail:N:KEY:KIND>>`, `<<first:MS>>`, `<<slow:MS>>`,
`<<tokens:N>>`, `<<count>>`, `<<upper>>`, `<<think:TEXT>>`, `<<finish:REASON>>`; else `echo: …`. In addition:

- `<<reason:TEXT>>`    TEXT goes to `reasoning_content`
- `<<fault:KIND>>`     the transport misbehaves, see `FAULTS`; `<<fault:KIND:N>>`: at a point, or for seconds
- model `fake-reader`  answers with the sentence of the system prompt that fits the question best, in the
                       question's language: what a RAG demonstration needs, without a model
- `answers`            a table {part of the question: reply}; a reply may have directives too
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `tests` is a package of the checkout

FAULTS = {
    "hang": "accepts the request and never answers",
    "hang_stream": "streams N chunks (default 1), then never goes on",
    "cut_json": "closes the connection in the middle of an event's JSON after N chunks",
    "cut_utf8": "closes the connection in the middle of a UTF-8 character",
    "cut": "closes the connection between two events, without finish reason or [DONE]",
    "reset": "resets the connection before any byte",
    "garbage": "200 with an HTML page",
    "garbage_stream": "an event stream whose data is not JSON",
    "empty": "200 with an empty body",
    "stream_error": "an error object inside the event stream after N chunks",
    "no_done": "a good stream that ends without [DONE]",
    "bytewise": "a good stream, written byte by byte (splits every character)",
    "crlf": "a good stream with CRLF line ends, comments and multi-line events",
    "retry_after": "429 with Retry-After: N",
    "one_json": "answers a streaming request with one plain JSON completion",
    "huge": "an event line of N MiB (default 8) without an end",
    "null_fields": "chunks full of nulls, as some servers send them",
}
ERRORS = {
    "rate_limit": (429, "fake rate limit"),
    "auth": (401, "fake bad key"),
    "bad_request": (400, "fake bad request"),
    "server": (500, "fake server error"),
    "connection": (503, "fake connection error"),
}
MODELS = ["fake-llm", "fake-tool", "fake-vision", "fake-so", "fake-completion", "fake-reader", "fake-embed",
          "fake-rerank", "fake-whisper", "fake-tts", "fake-moderation"]
DIRECTIVE = re.compile(
    r"<<(say|error|slow|first|tool|tokens|think|reason|fail|fault|count|upper|finish)(?::(.*?))?>>", re.S)
PIECES = re.compile(r"\S+\s*|\s+")


# --- the script --------------------------------------------------------------------------------------------


def message_text(content: Any) -> str:
    """Return a message's text: parts joined by newlines, those that are not text as `[image]` and so on."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    names = {"image_url": "image", "input_audio": "audio", "file": "document", "video_url": "video"}
    out = []
    for part in content:
        kind = part.get("type") or "?"
        out.append(part.get("text") or "" if kind == "text" else f"[{names.get(kind, kind)}]")
    return "\n".join(out)


def bigrams(text: str) -> set[str]:
    """Return the words of Latin text and the character pairs of Chinese text, folded to lower case."""
    found = set(re.findall(r"[a-z0-9]{2,}", text.lower()))
    for run in re.findall(r"[\u3400-\u9fff]+", text):
        found.update(run[i:i + 2] for i in range(len(run) - 1))
        if len(run) == 1:
            found.add(run)
    return found


def read_answer(context: str, question: str) -> str:
    """Return the sentence of `context` sharing most words with `question`, in the question's language."""
    wanted = bigrams(question)
    chinese = bool(re.search(r"[\u3400-\u9fff]", question))
    best, score = "", 0.0
    for sentence in re.split(r"(?<=[。！？])|(?<=[.!?])\s+|\n+", context):
        have = bigrams(sentence)
        shared = len(wanted & have)
        if shared and shared / math.sqrt(len(have) + 4) > score:
            best, score = sentence.strip(), shared / math.sqrt(len(have) + 4)
    if not best:
        return "资料中没有相关内容。" if chinese else "The documents do not say."
    return ("根据资料：" if chinese else "According to the documents: ") + best


class Plan:
    """What to answer to one chat request."""

    __slots__ = (
        "chunks",
        "completion_tokens",
        "error",
        "fault",
        "fault_arg",
        "finish",
        "first_ms",
        "prompt_tokens",
        "reason",
        "slow_ms",
        "text",
        "tool_calls",
    )

    def __init__(self) -> None:
        self.error = self.fault = self.fault_arg = ""
        self.first_ms = self.slow_ms = 0
        self.tool_calls: list[dict[str, str]] = []
        self.finish, self.text, self.reason = "stop", "", ""
        self.chunks: list[str] = []
        self.prompt_tokens = self.completion_tokens = 0

    @property
    def usage(self) -> dict[str, int]:
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
                "total_tokens": self.prompt_tokens + self.completion_tokens}


def plan(messages: list[dict], tools: list[dict] | None = None, counters: dict[str, int] | None = None, *,
         answers: dict[str, str] | None = None, model: str = "") -> Plan:
    """Decide the answer to `messages`. Deterministic but for the counters of `<<fail>>`."""
    p = Plan()
    turns = [(m.get("role"), message_text(m.get("content"))) for m in messages]
    last = next((i for i in range(len(turns) - 1, -1, -1) if turns[i][0] == "user"), -1)
    user = turns[last][1] if last >= 0 else (turns[-1][1] if turns else "")
    results = [text for role, text in turns[last + 1:] if role == "tool"]
    scripted = next((reply for part, reply in (answers or {}).items() if part in user), None)
    scope = "\n".join([text for role, text in turns if role == "system"] + [user, scripted or ""])
    given: dict[str, list[str]] = {}
    if "<<" in scope:
        for name, argument in DIRECTIVE.findall(scope):
            given.setdefault(name, []).append(argument)
    rest = DIRECTIVE.sub("", user).strip() if given else user.strip()
    if given:
        p.first_ms = int(given.get("first", ["0"])[-1] or 0)
        p.slow_ms = int(given.get("slow", ["0"])[-1] or 0)
        p.reason = given.get("reason", [""])[-1]
        if "error" in given:
            p.error = given["error"][-1] or "server"
        if "fail" in given and counters is not None:
            times, key, kind = (given["fail"][-1] + "::").split(":")[:3]
            counters[key] = counters.get(key, 0) + 1
            if counters[key] <= int(times):
                p.error = kind or "server"
        if "fault" in given:
            p.fault, _, p.fault_arg = given["fault"][-1].partition(":")
        if "tool" in given and not results:
            offered = {t.get("name") or (t.get("function") or {}).get("name") for t in tools or []}
            for call in given["tool"]:
                name, _, arguments = call.partition(":")
                if name in offered:
                    p.tool_calls.append({"name": name, "arguments": arguments or "{}"})
    if p.tool_calls:
        p.finish = "tool_calls"
    elif "say" in given:
        p.text = given["say"][-1]
    elif "tokens" in given:
        p.text = " ".join(f"w{i}" for i in range(1, int(given["tokens"][-1]) + 1))
    elif "count" in given:
        p.text = f"messages={len(turns)}"
    elif "upper" in given:
        p.text = rest.upper()
    elif scripted is not None:
        p.text = scripted
    elif model == "fake-reader":
        p.text = read_answer("\n".join(text for role, text in turns if role == "system"), rest)
    elif results:
        p.text = "tool said: " + "; ".join(results)
    else:
        p.text = "echo: " + rest
    if "think" in given:
        p.text = f"<think>{given['think'][-1]}</think>{p.text}"
    p.chunks = PIECES.findall(p.text)
    if model == "fake-reader" or scripted is not None:  # Chinese has no blanks: stream it in small pieces
        p.chunks = [piece[i:i + 4] for piece in p.chunks for i in range(0, len(piece), 4)]
    p.prompt_tokens = sum(len(text.split()) for _, text in turns)
    p.completion_tokens = len(p.chunks) or 1
    if "finish" in given:
        p.finish = given["finish"][-1]
    return p


def embedding(text: str, dimensions: int = 64) -> list[float]:
    """Return a unit vector of hashed words and character pairs: texts sharing words lie near each other."""
    vector = [0.0] * dimensions
    for token in sorted(bigrams(text)) or [text]:
        digest = hashlib.blake2b(token.encode(), digest_size=8).digest()
        vector[int.from_bytes(digest[:4], "big") % dimensions] += 1.0 if digest[4] & 1 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


# --- HTTP over raw sockets ---------------------------------------------------------------------------------

class Closed(Exception):
    """The connection is gone, or the script ends it here."""


class Connection:
    """One client connection: reads requests, writes replies, keeps alive."""

    def __init__(self, server: FakeLLM, sock: socket.socket):
        self.server, self.sock, self.buffer = server, sock, b""
        self.method = self.path = ""
        self.headers: dict[str, str] = {}
        self.body = b""

    def run(self) -> None:
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._read_request():
                self.server.handle(self)
        except (Closed, OSError):
            pass
        finally:
            self.server.forget(self)
            self.sock.close()

    def _read_request(self) -> bool:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            data = self.sock.recv(65536)
            if not data:
                return False
            self.buffer += data
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        self.buffer = self.buffer[end + 4:]
        self.method, self.path, _ = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if self.headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self.body = self._read_chunked()
            return True
        length = int(self.headers.get("content-length") or 0)
        self._fill(length)
        self.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return True

    def _fill(self, length: int) -> None:
        if len(self.buffer) >= length:
            return
        pieces, have = [self.buffer], len(self.buffer)
        while have < length:
            data = self.sock.recv(262144)
            if not data:
                raise Closed
            pieces.append(data)
            have += len(data)
        self.buffer = b"".join(pieces)

    def _read_chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._fill(len(self.buffer) + 1)
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            self._fill(size + 2)
            body, self.buffer = body + self.buffer[:size], self.buffer[size + 2:]
            if not size:
                return body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, body: bytes, status: int = 200, content_type: str = "application/json",
              **headers: str) -> None:
        """Send a whole reply."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{more}"
                  f"content-length: {len(body)}\r\n\r\n".encode() + body)

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.reply(json.dumps(value, ensure_ascii=False).encode(), status, **headers)

    def error(self, status: int, message: str, kind: str = "fake", **headers: str) -> None:
        error = {"message": message, "type": kind, "param": None, "code": kind}
        self.json({"error": error}, status, **headers)

    def start_stream(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  b"transfer-encoding: chunked\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        """Send one piece of a stream begun by `start_stream`; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def sleep(self, seconds: float) -> None:
        """Wait, noticing when the server stops or the client leaves (which is recorded)."""
        until = time.monotonic() + seconds
        self.sock.settimeout(0.02)
        try:
            while (left := until - time.monotonic()) > 0:
                if self.server.stopping.is_set():
                    raise Closed
                try:
                    if self.sock.recv(1, socket.MSG_PEEK) == b"":
                        self.server.left += 1
                        raise Closed
                    time.sleep(min(left, 0.02))
                except TimeoutError:
                    pass
                except ConnectionError:
                    self.server.left += 1
                    raise Closed
        finally:
            self.sock.settimeout(None)


class FakeLLM:
    """The server. `requests` holds what was asked ({path, headers, body}), newest last; `left` counts
    clients that went away during a reply; `fault` ("kind:argument") applies to every request."""

    def __init__(self, port: int = 0, *, key: str | None = None, answers: dict[str, str] | None = None,
                 record: bool = True, host: str = "127.0.0.1"):
        self.key, self.answers, self.record = key, answers or {}, record
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)
        self.counters: dict[str, int] = {}
        self.fault = ""
        self.models = list(MODELS)
        self.left = 0
        self.accepted = 0
        self.stopping = threading.Event()
        self._open: set[Connection] = set()
        self._listener = socket.create_server((host, port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.base_url = f"{self.url}/v1"
        threading.Thread(target=self._accept, daemon=True, name="fake-llm").start()

    def __enter__(self) -> FakeLLM:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self.stopping.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection = Connection(self, sock)
            self._open.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def handle(self, c: Connection) -> None:
        """Answer one request."""
        path, _, query = c.path.partition("?")
        body: Any = {}
        if c.body and c.headers.get("content-type", "").startswith("application/json"):
            try:
                body = json.loads(c.body)
            except ValueError:
                return c.error(400, "We could not parse the JSON body of your request.")
        if self.record and not path.startswith("/_"):
            self.requests.append({"method": c.method, "path": c.path, "headers": dict(c.headers),
                                  "body": body or c.body, "query": dict(urllib.parse.parse_qsl(query))})
        if path == "/_requests":
            return c.json([r if isinstance(r["body"], dict) else r | {"body": len(r["body"])}
                           for r in self.requests])
        if self.key and self.key not in (c.headers.get("authorization", "").removeprefix("Bearer "),
                                         c.headers.get("x-api-key"), c.headers.get("api-key"),
                                         c.headers.get("x-goog-api-key")):
            return c.error(401, "Incorrect API key provided", "invalid_request_error")
        if self.fault and transport_fault(c, *self.fault.partition(":")[::2]):
            return None
        if c.method == "GET" and path.endswith("/models") and "/v1beta" not in path:
            return c.json({"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]})
        if path.endswith("/chat/completions"):
            return serve_chat(self, c, body, chat=True)
        if path.endswith("/completions"):
            return serve_chat(self, c, body, chat=False)
        from tests import fake_llm_more  # the rarer kinds live in their own file

        return fake_llm_more.serve(self, c, path, body)


# --- chat completions --------------------------------------------------------------------------------------

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


def serve_chat(server: FakeLLM, c: Connection, body: dict, *, chat: bool) -> None:
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
    stream_chat(c, p, base | {"object": "chat.completion.chunk" if chat else "text_completion"}, calls,
                chat=chat, with_usage=bool((body.get("stream_options") or {}).get("include_usage")))
    return None


def stream_chat(c: Connection, p: Plan, base: dict, calls: list[dict], *,
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


def main() -> None:
    """Serve from the command line."""
    sys.modules["tests.fake_llm"] = sys.modules[__name__]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", help="refuse requests without this API key")
    parser.add_argument("--answers", type=Path, help="JSON object: part of the question -> reply")
    parser.add_argument("--no-record", action="store_true", help="keep no requests (for benchmarks)")
    args = parser.parse_args()
    answers = json.loads(args.answers.read_text("utf-8")) if args.answers else None
    server = FakeLLM(args.port, key=args.key, answers=answers, record=not args.no_record, host=args.host)
    print(f"listening on {server.base_url}", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        server.close()


if __name__ == "__main__":
    main()
