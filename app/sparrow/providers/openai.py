"""OpenAI's chat completions and completions, as hundreds of servers speak them, each a little differently."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import errors, sse, tokens
from sparrow.providers.dial import WireError
from sparrow.providers.target import Reply, Target
from sparrow.providers.wire import Exchange

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_FINISH = {"function_call": "tool_calls", "eos": "stop", "end_turn": "stop", "max_tokens": "length"}


# --- the request ---------------------------------------------------------------------------------------------

def chat_body(target: Target, messages: list[m.Message], *, parameters: dict[str, Any],
              tools: list[m.ToolSpec] | None, stop: list[str] | None, response_format: dict[str, Any] | None,
              stream: bool, user: str | None) -> dict[str, Any]:
    """Build the body of a chat or completion request. `parameters` have been through the rules."""
    body: dict[str, Any] = {"model": target.model}
    if target.completion:
        body["prompt"] = "\n".join(filter(None, (message.text() for message in messages)))
    else:
        # A turn that failed has an empty answer, which some servers refuse.
        body["messages"] = [wire_message(message) for message in messages
                            if message.content or message.tool_calls or message.role != "assistant"]
        if tools:
            body["tools"] = [{"type": "function", "function": {
                "name": tool.name, "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}}}} for tool in tools]
    body.update(parameters)
    shape = response_format or _response_format(body.pop("response_format", None), body.pop("json_schema", None))
    if shape and not target.completion:
        body["response_format"] = shape
    ends = list(stop or [])
    given = body.pop("stop", None)
    ends += [given] if isinstance(given, str) else given or []
    if ends:
        body["stop"] = ends[:4]  # OpenAI takes four
    body["stream"] = stream
    if stream and target.preset.stream_usage and "stream_options" not in target.quirks:
        body["stream_options"] = {"include_usage": True}
    if user and target.preset.id in ("openai", "azure_openai"):
        body["user"] = user
    if "max_completion_tokens" in target.quirks and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    for name in target.quirks:
        if name.startswith("drop:"):
            body.pop(name[5:], None)
    return body


def _response_format(kind: Any, schema: Any) -> dict[str, Any] | None:
    """Turn Dify's pair of parameters (a word, and the schema as text) into OpenAI's object."""
    if isinstance(kind, dict):
        return kind
    if kind != "json_schema":
        return {"type": kind} if kind in ("json_object",) else None
    try:
        given = _decode(schema) if isinstance(schema, str) else schema
    except msgspec.DecodeError:
        raise m.ModelBadRequestError("The parameter json_schema is not valid JSON") from None
    if not isinstance(given, dict):
        raise m.ModelBadRequestError("The parameter response_format is json_schema, but json_schema is missing")
    if "schema" not in given:
        given = {"name": str(given.get("title") or "answer"), "schema": given}
    return {"type": "json_schema", "json_schema": {"name": "answer"} | given}


def wire_message(message: m.Message) -> dict[str, Any]:
    """Return a message as OpenAI's protocol has it."""
    content = message.content
    if not isinstance(content, str):
        content = [_part(part) for part in content]  # type: ignore[assignment]
    out: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        out["tool_calls"] = [{"id": call.id, "type": "function", "function": {
            "name": call.name, "arguments": call.arguments or "{}"}} for call in message.tool_calls]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    elif message.name:
        out["name"] = message.name
    return out


def _part(part: m.Part) -> dict[str, Any]:
    if part.type == "text":
        return {"type": "text", "text": part.data}
    if part.type == "image":
        url: dict[str, Any] = {"url": part.data}
        if part.detail:
            url["detail"] = part.detail
        return {"type": "image_url", "image_url": url}
    if part.type == "audio":
        head, _, data = part.data.partition(",")
        kind = (part.mime_type or head[5:].partition(";")[0]).rpartition("/")[2].replace("mpeg", "mp3")
        return {"type": "input_audio", "input_audio": {"data": data or part.data, "format": kind or "wav"}}
    if part.type == "video":
        return {"type": "video_url", "video_url": {"url": part.data}}
    return {"type": "file", "file": {"filename": part.filename or "document", "file_data": part.data}}


def endpoint(target: Target, path: str) -> tuple[str, dict[str, str]]:
    """Return the address and headers of a call, in OpenAI's or Azure's way."""
    credential = target.credential
    headers = {"content-type": "application/json", "accept": "*/*", "user-agent": "sparrow"}
    if target.preset.protocol == "azure":
        version = credential.extra.get("api_version") or "2024-10-21"
        headers["api-key"] = credential.api_key
        url = f"{target.base_url}/openai/deployments/{target.model}{path}?api-version={version}"
    else:
        if credential.api_key:
            headers["authorization"] = f"Bearer {credential.api_key}"
        if organization := credential.extra.get("organization"):
            headers["openai-organization"] = str(organization)
        url = target.base_url + path
    headers.update({str(k).lower(): str(v) for k, v in (credential.extra.get("headers") or {}).items()})
    return url, headers


# --- the reply -----------------------------------------------------------------------------------------------

class Calls:
    """Puts tool calls together from their pieces, forgiving missing ids and indexes."""

    def __init__(self) -> None:
        self._calls: list[m.ToolCall] = []
        self._by_index: dict[int, m.ToolCall] = {}

    def add(self, deltas: Any) -> None:
        """Take the `tool_calls` of one delta."""
        for delta in deltas if isinstance(deltas, list) else [deltas]:
            if not isinstance(delta, dict):
                continue
            function = delta.get("function") or {}
            name, arguments = function.get("name") or "", function.get("arguments")
            if arguments is not None and not isinstance(arguments, str):
                arguments = _encode(arguments).decode()
            index, id_ = delta.get("index"), str(delta.get("id") or "")
            if index is None:
                last = self._calls[-1] if self._calls else None  # it goes on, if it is not named anew
                call = last if last and (id_ == last.id if id_ else not name) else None
            else:
                call = self._by_index.get(index)
                if call is not None and id_ and call.id and id_ != call.id and name:
                    call = None  # some servers number every call 0
            if call is None:
                call = m.ToolCall(id_, "", "")
                self._calls.append(call)
            if index is not None:
                self._by_index[index] = call
            call.id = call.id or id_
            if name and call.name != name and not call.arguments:
                call.name += name
            call.arguments += arguments or ""

    def take(self) -> list[m.ToolCall]:
        """Return the finished calls, each with an id."""
        for call in self._calls:
            call.id = call.id or f"call_{secrets.token_hex(8)}"
            call.arguments = call.arguments or "{}"
        return [call for call in self._calls if call.name]


def usage_of(target: Target, given: Any, prompt: list[m.Message], written: str) -> m.Usage:
    """Return the usage a server reports, or an estimate where it reports none."""
    usage = m.Usage(prompt_price_unit="0", completion_price_unit="0")
    if isinstance(given, dict):
        usage.prompt_tokens = int(given.get("prompt_tokens") or 0)
        usage.completion_tokens = int(given.get("completion_tokens") or 0)
    if not usage.prompt_tokens and not usage.completion_tokens:
        usage.prompt_tokens = tokens.of_messages(prompt)
        usage.completion_tokens = tokens.estimate(written)
    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
    return target.priced(usage)


def whole(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Iterator[m.Chunk]:
    """Yield a reply that is one JSON object, in one chunk."""
    data = exchange.read()
    reply = decode_object(target, exchange, data)
    if reply.get("error"):
        raise errors.from_object(target.provider, reply["error"])
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise m.ModelBadRequestError(
            f"[{target.provider}] The reply holds no choices: {errors.reply_text(data) or 'it is empty'}")
    choice = choices[0]
    message = choice.get("message") or {}
    text = _text(message.get("content")) if message else choice.get("text") or ""
    reasoning = _reasoning(message)
    calls = Calls()
    if message.get("tool_calls"):
        for i, call in enumerate(message["tool_calls"]):
            calls.add([{"index": i} | call] if isinstance(call, dict) else [])
    ready = calls.take()
    finish = _finish(choice.get("finish_reason"), ready)
    yield m.Chunk(text, reasoning, ready, finish, usage_of(target, reply.get("usage"), prompt, text + reasoning))


def decode_object(target: Target, exchange: Exchange, data: bytes) -> dict[str, Any]:
    """Decode a JSON object; say what the server sent instead of one."""
    try:
        reply = sse.value(data)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        kind = exchange.headers.get("content-type", "no content type").partition(";")[0]
        raise m.ModelBadRequestError(
            f"[{target.provider}] This is not the API of a model server: it answered {kind}"
            f" {errors.reply_text(data)[:200] or 'without content'}; check the base URL")
    return reply


def streamed(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Iterator[m.Chunk]:
    """Yield a streamed reply as it arrives; its last chunk carries finish reason and usage."""
    chunks = exchange.chunks()
    written: list[str] = []
    calls: Calls | None = None
    finish = usage = None
    ended = False
    try:
        for data in sse.events(chunks):
            if data == b"[DONE]" or data.strip() == b"[DONE]":
                ended = True
                break
            try:
                event = sse.value(data)
            except ValueError:
                if not data.strip():
                    continue
                raise m.ModelBadRequestError(
                    f"[{target.provider}] The stream holds an event that is not JSON: "
                    f"{data[:120].decode('utf-8', 'replace')}") from None
            if not isinstance(event, dict):
                continue
            if event.get("error"):
                raise errors.from_object(target.provider, event["error"])
            if event.get("usage"):
                usage = event["usage"]
            choices = event.get("choices")
            if not choices or not isinstance(choices, list):
                continue
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message")
            if delta:
                text = delta.get("content")
                if text and not isinstance(text, str):
                    text = _text(text)
                reasoning = _reasoning(delta)
                if delta.get("tool_calls"):
                    calls = calls or Calls()
                    calls.add(delta["tool_calls"])
            else:
                text, reasoning = choice.get("text"), ""
            if choice.get("finish_reason"):
                finish = choice["finish_reason"]
            if text or reasoning:
                written.append(text or reasoning)
                yield m.Chunk(text or "", reasoning)
    except sse.EventTooLong as error:
        raise m.ModelBadRequestError(f"[{target.provider}] The stream is broken: {error}") from None
    except WireError as error:
        if not finish:  # all that mattered had come
            raise m.ModelConnectionError(
                f"[{target.provider}] {error}, after {sum(map(len, written))} characters") from error
        ended = True
    if not ended and not finish and not written and calls is None:
        raise m.ModelConnectionError(f"[{target.provider}] The stream ended without an answer")
    ready = calls.take() if calls else []
    yield m.Chunk("", "", ready, _finish(finish, ready), usage_of(target, usage, prompt, "".join(written)))
    exchange.settle(chunks)


def _reasoning(delta: dict[str, Any]) -> str:
    value = delta.get("reasoning_content") or delta.get("reasoning")
    if not value:
        return ""
    return value if isinstance(value, str) else _text(value)


def _text(content: Any) -> str:
    """Return the text of a content that may be a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text") or part.get("content")) if isinstance(part, dict) else str(part)
                       for part in content)
    if isinstance(content, dict):
        return str(content.get("text") or "")
    return content if isinstance(content, str) else ""


def _finish(reason: Any, calls: list[m.ToolCall]) -> str:
    if calls and reason in (None, "", "stop"):
        return "tool_calls"
    return _FINISH.get(reason, reason) if isinstance(reason, str) and reason else "stop"


def learn(target: Target, body: dict[str, Any], text: str) -> bool:
    """Take note of a parameter that this server refuses; return whether trying again makes sense."""
    low = text.lower()
    if "stream_options" in body and "stream_options" in low:
        target.quirks.add("stream_options")
        return True
    if "max_tokens" in body and "max_completion_tokens" in low:
        target.quirks.add("max_completion_tokens")
        return True
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "user"):
        if name in body and name in low and ("unsupported" in low or "not support" in low or "unknown" in low
                                             or "unrecognized" in low or "extra fields" in low):
            target.quirks.add(f"drop:{name}")
            return True
    return False


def reply(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    """Read a 2xx reply of either kind: a server may answer a streaming request with plain JSON."""
    if "text/event-stream" in exchange.headers.get("content-type", ""):
        return streamed(target, exchange, prompt)
    return whole(target, exchange, prompt)
