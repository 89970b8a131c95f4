"""Every app as an OpenAI-compatible model: chat completions with the app's key.

The last user message is the query. What was said before it is put in front of it, unless the client names a
conversation of the app (`conversation_id`, given back in the header `X-Conversation-Id`), which has its own memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
from flask import Response

from sparrow import clock, ids
from sparrow.api import sse
from sparrow.api.service import service, shapes
from sparrow.api.service.who import app, end_user
from sparrow.api.web import base_url, reply
from sparrow.apps import run
from sparrow.apps.live import Live
from sparrow.apps.order import Order
from sparrow.errors import BadRequest

TAG = "openai"
_encode = msgspec.json.Encoder().encode


class ChatCompletion(msgspec.Struct):
    """OpenAI's request; parameters of the model are the app's own and are ignored."""

    uuids: ClassVar[tuple[str, ...]] = ("conversation_id",)

    messages: list[dict[str, Any]]
    model: str = ""
    stream: bool | None = False
    user: str | None = None
    stream_options: dict[str, Any] | None = None
    conversation_id: str | None = None
    inputs: dict[str, Any] | None = None


@service.get("/models", tag=TAG)
def list_models() -> shapes.OpenAIModels:
    """List the one model that an app's key opens: the app."""
    row = app()
    return {"object": "list", "data": [{"id": row.name or row.id, "object": "model", "created": int(row.created_at),
                                        "owned_by": "sparrow"}]}


@service.post("/chat/completions", tag=TAG, stream=True)
def chat_completions(body: ChatCompletion) -> Response:
    """Answer the last user message by the app."""
    query, files = _question(body.messages)
    row, user = app(), end_user(body.user, required=False)
    inputs = dict(body.inputs or {})
    if row.mode in run.CHAT_MODES:
        order = Order(row, user, inputs, query=_with_history(query, body), files=files, base_url=base_url(),
                      conversation_id=body.conversation_id)
        running = run.chat(order)
    elif row.mode == "completion":
        running = run.completion(Order(row, user, {"query": query, **inputs}, query=query, files=files,
                                       base_url=base_url()))
    else:
        running = run.workflow(Order(row, user, {"query": query, **inputs}, files=files, base_url=base_url()))
    answer = _Answer(running, body.model or row.name)
    if body.stream:
        usage = bool((body.stream_options or {}).get("include_usage"))
        return sse.respond(answer.stream(usage))
    return answer.whole()


class _Answer:
    """A run's events, retold in OpenAI's words."""

    def __init__(self, running: Live, model: str):
        self.running = running
        self.head = {"id": f"chatcmpl-{ids.new_id()}", "created": int(clock.now()), "model": model}
        self.usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}

    def whole(self) -> Response:
        """Return the reply when it is complete."""
        pieces = list(self._texts())
        if isinstance(pieces[-1:] and pieces[-1], dict):
            error = pieces[-1]
            return reply({"error": {"message": error["message"], "type": error["code"], "code": error["code"],
                                    "param": None}}, error["status"])
        text = "".join(pieces)
        result = self.running.result or {}
        if result.get("mode"):
            text = result["answer"]  # as moderation left it
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        response = reply({**self.head, "object": "chat.completion", "choices": [choice], "usage": self.usage})
        if result.get("conversation_id"):
            response.headers["X-Conversation-Id"] = result["conversation_id"]
        return response

    def stream(self, with_usage: bool) -> Iterator[bytes]:
        """Yield chunks, then the mark of the end."""
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in self._texts():
            if isinstance(piece, dict):
                yield b"data: " + _encode({"error": {"message": piece["message"], "type": piece["code"],
                                                     "code": piece["code"], "param": None}}) + b"\n\n"
                return
            if piece:
                yield self._chunk({"content": piece})
        yield self._chunk({}, "stop")
        if with_usage:
            yield b"data: " + _encode({**self.head, "object": "chat.completion.chunk", "choices": [],
                                       "usage": self.usage}) + b"\n\n"
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: " + _encode({**self.head, "object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"

    def _texts(self) -> Iterator[str | dict[str, Any]]:
        """Yield pieces of the answer; a failure is the last item, as {code, status, message}."""
        said = False
        for batch in self.running.listen():
            for event in batch:
                name = event["event"]
                if name in ("message", "agent_message"):
                    said = True
                    yield event["answer"]
                elif name == "text_chunk":
                    said = True
                    yield event["data"]["text"]
                elif name == "message_end":
                    self._count(event["metadata"]["usage"])
                elif name == "workflow_finished":
                    self.usage["total_tokens"] = self.usage["total_tokens"] or event["data"]["total_tokens"]
                    if event["data"]["status"] == "failed":
                        yield {"code": "invalid_param", "status": 400, "message": event["data"]["error"] or "failed"}
                        return
                    if not said and not self.running.result.get("mode") and event["data"]["outputs"]:
                        yield msgspec.json.encode(event["data"]["outputs"]).decode()
                elif name == "error":
                    yield {"code": event["code"], "status": event["status"], "message": event["message"]}
                    return

    def _count(self, usage: dict[str, Any]) -> None:
        self.usage = {name: usage.get(name) or 0 for name in self.usage}


def _question(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of the last user message and its pictures as remote files."""
    last = next((item for item in reversed(messages) if item.get("role") == "user"), None)
    if last is None:
        raise BadRequest("messages: there is no message with role 'user'", params="messages")
    return _text(last), [
        {"type": "image", "transfer_method": "remote_url", "url": part["image_url"]["url"]}
        for part in (last.get("content") if isinstance(last.get("content"), list) else [])
        if isinstance(part, dict) and part.get("type") == "image_url" and isinstance(part.get("image_url"), dict)
        and str(part["image_url"].get("url") or "").startswith("http")]


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text") or "") for part in parts
                     if isinstance(part, dict) and part.get("type") == "text")


def _with_history(query: str, body: ChatCompletion) -> str:
    """Return the query with what was said before it, for a client that keeps the conversation itself."""
    users = [index for index, item in enumerate(body.messages) if item.get("role") == "user"]
    earlier = [item for item in body.messages[:users[-1]] if item.get("role") in ("user", "assistant")]
    if body.conversation_id or not earlier:
        return query
    talk = "\n".join(f"{item['role']}: {_text(item)}" for item in earlier)
    return f"The conversation so far:\n{talk}\n\nThe new message:\n{query}"
