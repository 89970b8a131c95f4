"""Runs every method of PyPI's dify-client-python, sync and async, against a server; prints what its models read.

    python dify_client_python.py '{"url": …, "chat": KEY, "agent": KEY, "completion": KEY, "flow": KEY, \
        "workflow": KEY}'
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import sys
from typing import Any

from dify_client import AsyncClient, Client, models

given = json.loads(sys.argv[1])
loop = asyncio.new_event_loop()
PNG = base64.b64decode("iVBORw0KGgo=")
USER = {"user": "u1"}


async def _all(stream) -> list:
    return [item async for item in stream]


def call(client, method: str, *arguments) -> Any:
    """Call a method, or its twin where the client is asynchronous; return everything it gives."""
    reply = getattr(client, ("a" if isinstance(client, AsyncClient) else "") + method)(*arguments)
    if inspect.isawaitable(reply):
        reply = loop.run_until_complete(reply)
    if inspect.isasyncgen(reply):
        return loop.run_until_complete(_all(reply))
    return list(reply) if inspect.isgenerator(reply) else reply


def plain(value: Any) -> Any:
    """Return what a client gave as JSON."""
    if isinstance(value, list):
        return [{"type": type(item).__name__, **item.model_dump(mode="json")} for item in value]
    return len(value) if isinstance(value, bytes) else value.model_dump(mode="json")


def walk(kind: type) -> dict[str, Any]:
    """Use each method of one client."""
    chat, agent, completion, flow, workflow = (
        kind(api_key=given[name], api_base=f"{given['url']}/v1")
        for name in ("chat", "agent", "completion", "flow", "workflow"))
    seen: dict[str, Any] = {}

    def see(name: str, *called) -> Any:
        value = call(*called)
        seen[name] = plain(value)
        return value

    for mode in ("blocking", "streaming"):
        asked = models.ChatRequest(query="hello there", response_mode=mode, **USER)
        see(f"chat {mode}", chat, "chat_messages", asked)
        see(f"flow {mode}", flow, "chat_messages", asked)
        see(f"completion {mode}", completion, "completion_messages",
            models.CompletionRequest(inputs={"query": "q"}, response_mode=mode, **USER))
        see(f"workflow {mode}", workflow, "run_workflows",
            models.WorkflowsRunRequest(inputs={"word": "w"}, response_mode=mode, **USER))
        see(f"failed {mode}", workflow, "run_workflows",
            models.WorkflowsRunRequest(inputs={"word": "<<error:auth>>"}, response_mode=mode, **USER))
    see("agent", agent, "chat_messages", models.ChatRequest(
        query="<<tool:current_time:{}>>", response_mode="streaming", **USER))
    see("refused", chat, "chat_messages", models.ChatRequest(
        query="<<error:auth>>", response_mode="streaming", **USER))
    message = seen["chat blocking"]["message_id"]
    file = see("upload", chat, "upload_files", ("dot.png", PNG, "image/png"), models.UploadFileRequest(**USER))
    see("picture", chat, "chat_messages", models.ChatRequest(query="look", response_mode="blocking", **USER, files=[
        models.File(type="image", transfer_method="local_file", upload_file_id=file.id)]))
    see("like", chat, "feedback_messages", message, models.FeedbackRequest(rating="like", content="good", **USER))
    see("unlike", chat, "feedback_messages", message, models.FeedbackRequest(**USER))
    see("suggested", chat, "suggest_messages", message, models.ChatSuggestRequest(**USER))
    see("said", chat, "text_to_audio", models.TextToAudioRequest(text="hi", **USER))
    see("heard", chat, "audio_to_text", ("a.wav", b"RIFF", "audio/wav"), models.AudioToTextRequest(**USER))
    for name, client in (("chat_messages", chat), ("completion_messages", completion), ("workflows", workflow)):
        see(f"stop {name}", client, f"stop_{name}", "none", models.StopRequest(**USER))
    return seen


print(json.dumps({kind.__name__: walk(kind) for kind in (Client, AsyncClient)}))
