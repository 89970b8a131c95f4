"""Anthropic's messages API, natively: thinking, images, documents, tools."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import errors, openai, sse
from sparrow.providers.dial import WireError
from sparrow.providers.target import Reply, Target
from sparrow.providers.wire import Exchange

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
           "refusal": "content_filter"}

_THOUGHTS = ("thinking", "redacted_thinking")


def endpoint(target: Target, stream: bool) -> tuple[str, dict[str, str]]:
    """Return the address and headers of a call."""
    credential = target.credential
    headers = {"content-type": "application/json", "user-agent": "sparrow", "x-api-key": credential.api_key,
               "anthropic-version": "2023-06-01"}
    headers.update({str(k).lower(): str(v) for k, v in (credential.extra.get("headers") or {}).items()})
    return f"{target.base_url}/v1/messages", headers


def chat_body(target: Target, messages: list[m.Message], *, parameters: dict[str, Any],
              tools: list[m.ToolSpec] | None, stop: list[str] | None, response_format: dict[str, Any] | None,
              stream: bool, user: str | None) -> dict[str, Any]:
    """Build the body. A JSON schema becomes a tool the model has to use; its input is the answer."""
    body: dict[str, Any] = {"model": target.model, "stream": stream}
    system = "\n\n".join(text for message in messages if message.role == "system" and (text := message.text()))
    if system:
        body["system"] = system
    body["messages"] = turns(messages)
    budget = parameters.pop("thinking_budget", None)
    body["max_tokens"] = int(parameters.pop("max_tokens", 0) or min(target.spec.max_output or 4096, 8192))
    if budget:
        body["thinking"] = {"type": "enabled", "budget_tokens": int(budget)}
        body["max_tokens"] = max(body["max_tokens"], int(budget) + 1024)
    for name in ("temperature", "top_p", "top_k"):
        if name in parameters and not (budget and name != "top_k"):
            body[name] = parameters[name]
    if "temperature" in body and "top_p" in body:
        del body["top_p"]  # newer models refuse both together
    ends = [*(stop or []), *(parameters.get("stop") or [])]
    ends = [end for end in ends if end.strip()]
    if ends:
        body["stop_sequences"] = ends
    if tools:
        body["tools"] = [{"name": tool.name, "description": tool.description,
                          "input_schema": tool.parameters or {"type": "object", "properties": {}}}
                         for tool in tools]
    schema = ((response_format or {}).get("json_schema") or {}).get("schema")
    if schema and not tools:
        body["tools"] = [{"name": "answer", "description": "Give the answer in this form.",
                          "input_schema": schema}]
        body["tool_choice"] = {"type": "tool", "name": "answer"}
    if user:
        body["metadata"] = {"user_id": user}
    return body


def turns(messages: list[m.Message]) -> list[dict[str, Any]]:
    """Return the messages in Anthropic's form: no system, results as user content, neighbours merged."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            role, content = "user", [{"type": "tool_result", "tool_use_id": message.tool_call_id or "",
                                      "content": message.text()}]
        else:
            role, content = message.role, _content(message)
        if not content:
            continue
        if out and out[-1]["role"] == role:
            out[-1]["content"] += content
        else:
            out.append({"role": role, "content": content})
    if not out or out[0]["role"] != "user":
        out.insert(0, {"role": "user", "content": [{"type": "text", "text": "."}]})
    if out[-1]["role"] == "assistant" and isinstance(out[-1]["content"][-1].get("text"), str):
        out[-1]["content"][-1]["text"] = out[-1]["content"][-1]["text"].rstrip() or "."
    return out


def _content(message: m.Message) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        content = [{"type": "text", "text": message.content}] if message.content else []
    else:
        content = [part for part in map(_part, message.content) if part]
    # Thoughts come first, as they came: with thinking switched on, a tool's result is refused without them.
    content[:0] = [block for call in message.tool_calls for block in call.thought or ()]
    for call in message.tool_calls:
        try:
            given = _decode(call.arguments or "{}")
        except msgspec.DecodeError:
            given = {"arguments": call.arguments}
        content.append({"type": "tool_use", "id": call.id, "name": call.name,
                        "input": given if isinstance(given, dict) else {"value": given}})
    return content


def _part(part: m.Part) -> dict[str, Any] | None:
    if part.type == "text":
        return {"type": "text", "text": part.data} if part.data else None
    if part.type not in ("image", "document"):
        return {"type": "text", "text": f"[{part.type}: {part.filename or ''}]"}
    if part.data.startswith("data:"):
        head, _, data = part.data.partition(",")
        kind = head[5:].partition(";")[0]
        source = {"type": "base64", "media_type": kind, "data": data}
    else:
        source = {"type": "url", "url": part.data}
    return {"type": part.type, "source": source}


def reply(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    """Read a 2xx reply, streamed or whole."""
    if "text/event-stream" in exchange.headers.get("content-type", ""):
        return _streamed(target, exchange, prompt)
    return _whole(target, exchange, prompt)


def _usage(target: Target, given: dict[str, Any], prompt: list[m.Message], written: str) -> m.Usage:
    before = sum(int(given.get(name) or 0) for name in
                 ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))
    return openai.usage_of(target, {"prompt_tokens": before, "completion_tokens": given.get("output_tokens")},
                           prompt, written)


def _whole(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    data = openai.decode_object(target, exchange, exchange.read())
    if data.get("type") == "error":
        raise errors.from_object(target.provider, data.get("error"))
    text, reasoning, calls, thoughts = "", "", [], []
    for block in data.get("content") or []:
        kind = block.get("type")
        if kind == "text":
            text += block.get("text") or ""
        elif kind in _THOUGHTS:
            thoughts.append(block)
            reasoning += block.get("thinking") or ""
        elif kind == "tool_use":
            calls.append(m.ToolCall(block.get("id") or "", block.get("name") or "",
                                    _encode(block.get("input") or {}).decode()))
    if calls:
        calls[0].thought = thoughts
    text, calls, finish = _answer(text, calls, data.get("stop_reason"))
    yield m.Chunk(text, reasoning, calls, finish, _usage(target, data.get("usage") or {}, prompt, text))


def _answer(text: str, calls: list[m.ToolCall], reason: str | None) -> tuple[str, list[m.ToolCall], str]:
    """Give the forced `answer` tool back as text."""
    if len(calls) == 1 and calls[0].name == "answer":
        return text + calls[0].arguments, [], "stop"
    return text, calls, _FINISH.get(reason or "", reason or "stop")


def _streamed(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    chunks = exchange.chunks()
    calls: dict[int, m.ToolCall] = {}
    thoughts: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    written: list[str] = []
    reason = None
    stopped = False
    try:
        for data in sse.events(chunks):
            try:
                event = sse.value(data)
            except ValueError:
                raise m.ModelBadRequestError(
                    f"[{target.provider}] The stream holds an event that is not JSON: "
                    f"{data[:120].decode('utf-8', 'replace')}") from None
            kind = event.get("type")
            if kind == "content_block_delta":
                delta = event.get("delta") or {}
                if text := delta.get("text"):
                    written.append(text)
                    yield m.Chunk(text)
                elif thinking := delta.get("thinking"):
                    written.append(thinking)
                    if event.get("index") in thoughts:
                        thoughts[event["index"]]["thinking"] += thinking
                    yield m.Chunk("", thinking)
                elif delta.get("signature") and event.get("index") in thoughts:
                    thoughts[event["index"]]["signature"] = delta["signature"]
                elif delta.get("partial_json") and event.get("index") in calls:
                    calls[event["index"]].arguments += delta["partial_json"]
            elif kind == "content_block_start":
                block = event.get("content_block") or {}
                if block.get("type") == "tool_use":
                    calls[event.get("index", 0)] = m.ToolCall(block.get("id") or "", block.get("name") or "", "")
                elif block.get("type") in _THOUGHTS:
                    thoughts[event.get("index", 0)] = {"thinking": ""} | block if block["type"] == "thinking" else block
                elif block.get("text"):
                    written.append(block["text"])
                    yield m.Chunk(block["text"])
            elif kind == "message_start":
                usage |= (event.get("message") or {}).get("usage") or {}
            elif kind == "message_delta":
                reason = (event.get("delta") or {}).get("stop_reason") or reason
                usage |= {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
            elif kind == "message_stop":
                stopped = True
                break
            elif kind == "error":
                raise errors.from_object(target.provider, event.get("error"))
    except sse.EventTooLong as error:
        raise m.ModelBadRequestError(f"[{target.provider}] The stream is broken: {error}") from None
    except WireError as error:
        if not reason:
            raise m.ModelConnectionError(
                f"[{target.provider}] {error}, after {sum(map(len, written))} characters") from error
        stopped = True
    if not stopped and not reason:
        raise m.ModelConnectionError(f"[{target.provider}] The stream ended before the answer did")
    for call in calls.values():
        call.arguments = call.arguments or "{}"
    for call in list(calls.values())[:1]:
        call.thought = list(thoughts.values())
    text, ready, finish = _answer("", list(calls.values()), reason)
    if text:
        yield m.Chunk(text)
    yield m.Chunk("", "", ready, finish, _usage(target, usage, prompt, "".join(written)))
    exchange.settle(chunks)
