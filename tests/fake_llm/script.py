"""What the model says: the directives of a prompt turned into a plan, and embeddings."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

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
DIRECTIVE = re.compile(
    r"<<(say|error|slow|first|tool|tokens|think|reason|fail|fault|count|upper|finish)(?::(.*?))?>>", re.S)
PIECES = re.compile(r"\S+\s*|\s+")


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
