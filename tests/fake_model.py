"""The scripted model of the golden corpus as a ChatModel inside the process: no HTTP, no waiting."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from sparrow.messages import (
    Chunk,
    Message,
    ModelAuthorizationError,
    ModelBadRequestError,
    ModelConnectionError,
    ModelInfo,
    ModelNotConfiguredError,
    ModelRateLimitError,
    ModelRef,
    ModelServerUnavailableError,
    ToolCall,
    ToolSpec,
    Usage,
)

_DIRECTIVE = re.compile(r"<<(say|error|slow|first|tool|tokens|think|reason|fail|count|upper|finish)(?::(.*?))?>>", re.S)
_TOOLS = frozenset(("tool-call", "multi-tool-call", "stream-tool-call"))
FEATURES = {"fake-llm": frozenset(), "fake-tool": _TOOLS, "fake-vision": _TOOLS | {"vision", "document"},
            "fake-so": _TOOLS | {"structured-output"}, "fake-completion": frozenset()}
ERRORS = {"rate_limit": (ModelRateLimitError, "fake rate limit"), "auth": (ModelAuthorizationError, "fake bad key"),
          "bad_request": (ModelBadRequestError, "fake bad request"),
          "server": (ModelServerUnavailableError, "fake server error"),
          "connection": (ModelConnectionError, "fake connection error")}


class FakeModel:
    """Answers as the corpus README says; `calls` keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.counters: dict[str, int] = {}
        self._lock = threading.Lock()

    def info(self, ref: ModelRef) -> ModelInfo:
        """Describe one of the corpus's models."""
        if ref.name not in FEATURES:
            raise ModelNotConfiguredError(f"Provider {ref.provider} does not exist.")
        return ModelInfo(ref, FEATURES[ref.name], 128_000)

    def chat(self, ref: ModelRef, messages: list[Message], *, parameters: dict[str, Any] | None = None,
             tools: list[ToolSpec] | None = None, stop: list[str] | None = None,
             response_format: dict[str, Any] | None = None, stream: bool = True,
             user: str | None = None) -> Iterator[Chunk]:
        """Yield the scripted reply."""
        texts = [(message.role, _text(message)) for message in messages]
        with self._lock:
            self.calls.append({"model": ref.name, "messages": texts, "tools": [tool.name for tool in tools or ()],
                               "parameters": parameters, "response_format": response_format, "stream": stream})
        users = [index for index, item in enumerate(texts) if item[0] == "user"]
        last = texts[users[-1]][1] if users else texts[-1][1]
        results = [text for role, text in texts[users[-1] + 1 if users else 0:] if role == "tool"]
        found: dict[str, list[str]] = {}
        for name, value in _DIRECTIVE.findall("\n".join([text for role, text in texts if role == "system"] + [last])):
            found.setdefault(name, []).append(value)
        time.sleep(int(found.get("first", ["0"])[-1]) / 1000)
        kind = (found["error"][-1] or "server") if "error" in found else None
        if "fail" in found:
            times, key, wanted = (found["fail"][-1] + "::").split(":")[:3]
            with self._lock:
                self.counters[key] = self.counters.get(key, 0) + 1
                kind = (wanted or "server") if self.counters[key] <= int(times) else kind
        if kind:
            error, text = ERRORS.get(kind, ERRORS["server"])
            raise error(text)
        rest = _DIRECTIVE.sub("", last).strip()
        calls: list[ToolCall] = []
        if not results:
            names = {tool.name for tool in tools or ()}
            for value in found.get("tool", ()):
                name, _, arguments = value.partition(":")
                if name in names:
                    calls.append(ToolCall(f"call_{len(calls) + 1}", name, arguments or "{}"))
        text = self._reply(found, texts, rest, results, calls)
        for reason in found.get("reason", ())[-1:]:
            yield Chunk(reasoning=reason)
        pieces = re.findall(r"\S+\s*|\s+", text)
        prompt = sum(len(text.split()) for _, text in texts)
        done = max(1, len(pieces))
        usage = Usage(prompt, done, prompt + done, prompt_price_unit="0", completion_price_unit="0")
        for piece in pieces if stream else [text]:
            time.sleep(int(found.get("slow", ["0"])[-1]) / 1000)
            yield Chunk(text=piece)
        if calls:
            yield Chunk(tool_calls=calls)
        yield Chunk(finish_reason=found["finish"][-1] if "finish" in found else "tool_calls" if calls else "stop",
                    usage=usage)

    @staticmethod
    def _reply(found: dict[str, list[str]], texts: list, rest: str, results: list[str], calls: list) -> str:
        if calls:
            text = ""
        elif "say" in found:
            text = found["say"][-1]
        elif "tokens" in found:
            text = " ".join(f"w{index}" for index in range(1, int(found["tokens"][-1]) + 1))
        elif "count" in found:
            text = f"messages={len(texts)}"
        elif "upper" in found:
            text = rest.upper()
        else:
            text = "tool said: " + "; ".join(results) if results else f"echo: {rest}"
        return f"<think>{found['think'][-1]}</think>{text}" if "think" in found else text


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.data if part.type == "text" else f"[{part.type}]" for part in message.content)
