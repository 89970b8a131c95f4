"""Google's Gemini API, natively: thoughts, files of every kind, tools, JSON schema."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import errors, openai, sse
from sparrow.providers.dial import WireError
from sparrow.providers.target import Reply, Target
from sparrow.providers.wire import Exchange

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter",
           "PROHIBITED_CONTENT": "content_filter", "BLOCKLIST": "content_filter"}
# The part of JSON schema that Gemini knows; anything else is refused by the server.
_SCHEMA_KEYS = frozenset({"type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems",
                          "properties", "required", "minimum", "maximum", "items", "anyOf", "propertyOrdering"})


def headers_of(target: Target) -> dict[str, str]:
    """Return the headers of every call."""
    credential = target.credential
    headers = {"content-type": "application/json", "user-agent": "sparrow", "x-goog-api-key": credential.api_key}
    headers.update({str(k).lower(): str(v) for k, v in (credential.extra.get("headers") or {}).items()})
    return headers


def endpoint(target: Target, stream: bool) -> tuple[str, dict[str, str]]:
    """Return the address and headers of a chat call."""
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{target.base_url}/v1beta/models/{target.model}:{verb}", headers_of(target)


def chat_body(target: Target, messages: list[m.Message], *, parameters: dict[str, Any],
              tools: list[m.ToolSpec] | None, stop: list[str] | None, response_format: dict[str, Any] | None,
              stream: bool, user: str | None) -> dict[str, Any]:
    """Build the body of a generateContent call."""
    config: dict[str, Any] = {}
    for ours, theirs in (("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK"), ("seed", "seed"),
                         ("max_tokens", "maxOutputTokens"), ("presence_penalty", "presencePenalty"),
                         ("frequency_penalty", "frequencyPenalty")):
        if ours in parameters:
            config[theirs] = parameters[ours]
    if "max_output_tokens" in parameters:
        config["maxOutputTokens"] = int(parameters["max_output_tokens"])
    ends = [*(stop or []), *(parameters.get("stop") or [])]
    if ends:
        config["stopSequences"] = ends[:5]
    shape = response_format or openai._response_format(parameters.get("response_format"),
                                                       parameters.get("json_schema"))
    if shape and not tools:
        config["responseMimeType"] = "application/json"
        if schema := (shape.get("json_schema") or {}).get("schema"):
            config["responseSchema"] = plain_schema(schema)
    body: dict[str, Any] = {"contents": contents(messages)}
    system = "\n\n".join(text for message in messages if message.role == "system" and (text := message.text()))
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if tools:
        body["tools"] = [{"functionDeclarations": [
            {"name": tool.name, "description": tool.description}
            | ({"parameters": plain_schema(tool.parameters)} if tool.parameters.get("properties") else {})
            for tool in tools]}]
    if config:
        body["generationConfig"] = config
    return body


def plain_schema(schema: Any) -> Any:
    """Return the part of a JSON schema that Gemini takes."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _SCHEMA_KEYS:
            continue
        if key == "properties" and isinstance(value, dict):
            out[key] = {name: plain_schema(sub) for name, sub in value.items()}
        elif key == "type" and isinstance(value, list):
            kinds = [kind for kind in value if kind != "null"]
            out[key] = kinds[0] if kinds else "string"
            if "null" in value:
                out["nullable"] = True
        elif key == "anyOf" and isinstance(value, list):
            out[key] = [plain_schema(sub) for sub in value]
        elif key == "items":
            out[key] = plain_schema(value)
        else:
            out[key] = value
    return out


def contents(messages: list[m.Message]) -> list[dict[str, Any]]:
    """Return the messages in Gemini's form; results of tools go back by the name of their call."""
    out: list[dict[str, Any]] = []
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            name = message.name or names.get(message.tool_call_id or "", "tool")
            role, parts = "user", [{"functionResponse": {"name": name, "response": {"result": message.text()}}}]
        else:
            role, parts = "model" if message.role == "assistant" else "user", _parts(message)
        if not parts:
            continue
        if out and out[-1]["role"] == role:
            out[-1]["parts"] += parts
        else:
            out.append({"role": role, "parts": parts})
    return out or [{"role": "user", "parts": [{"text": "."}]}]


def _parts(message: m.Message) -> list[dict[str, Any]]:
    given = [m.Part("text", message.content)] if isinstance(message.content, str) else message.content
    parts: list[dict[str, Any]] = []
    for part in given:
        if part.type == "text":
            parts += [{"text": part.data}] if part.data else []
        elif part.data.startswith("data:"):
            head, _, data = part.data.partition(",")
            parts.append({"inlineData": {"mimeType": head[5:].partition(";")[0], "data": data}})
        else:
            parts.append({"fileData": {"fileUri": part.data} | (
                {"mimeType": part.mime_type} if part.mime_type else {})})
    for call in message.tool_calls:
        try:
            given_args = _decode(call.arguments or "{}")
        except msgspec.DecodeError:
            given_args = {"arguments": call.arguments}
        parts.append({"functionCall": {"name": call.name, "args": given_args}}
                     | ({"thoughtSignature": call.thought} if call.thought else {}))
    return parts


def reply(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    """Read a 2xx reply, streamed or whole."""
    if "text/event-stream" in exchange.headers.get("content-type", ""):
        return _streamed(target, exchange, prompt)
    return _whole(target, exchange, prompt)


class _State:
    def __init__(self) -> None:
        self.calls: list[m.ToolCall] = []
        self.usage: dict[str, Any] = {}
        self.reason: str | None = None

    def take(self, target: Target, event: Any) -> tuple[str, str]:
        """Take one response object; return its (text, thoughts)."""
        if not isinstance(event, dict):
            return "", ""
        if event.get("error"):
            raise errors.from_object(target.provider, event["error"])
        self.usage |= event.get("usageMetadata") or {}
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        if blocked:
            raise m.ModelBadRequestError(f"[{target.provider}] The prompt was refused: {blocked}")
        text = thoughts = ""
        for candidate in (event.get("candidates") or [])[:1]:
            self.reason = candidate.get("finishReason") or self.reason
            for part in (candidate.get("content") or {}).get("parts") or []:
                if call := part.get("functionCall"):
                    self.calls.append(m.ToolCall(call.get("id") or f"call_{secrets.token_hex(8)}",
                                                 call.get("name") or "", _encode(call.get("args") or {}).decode(),
                                                 part.get("thoughtSignature")))
                elif part.get("thought"):
                    thoughts += part.get("text") or ""
                else:
                    text += part.get("text") or ""
        return text, thoughts

    def last(self, target: Target, prompt: list[m.Message], written: str) -> tuple[str, m.Usage]:
        """Return finish reason and usage."""
        given = {"prompt_tokens": self.usage.get("promptTokenCount"),
                 "completion_tokens": (self.usage.get("candidatesTokenCount") or 0)
                 + (self.usage.get("thoughtsTokenCount") or 0)}
        finish = "tool_calls" if self.calls else _FINISH.get(self.reason or "STOP", (self.reason or "stop").lower())
        return finish, openai.usage_of(target, given, prompt, written)


def _whole(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    state = _State()
    text, thoughts = state.take(target, openai.decode_object(target, exchange, exchange.read()))
    finish, usage = state.last(target, prompt, text + thoughts)
    yield m.Chunk(text, thoughts, state.calls, finish, usage)


def _streamed(target: Target, exchange: Exchange, prompt: list[m.Message]) -> Reply:
    state = _State()
    written: list[str] = []
    chunks = exchange.chunks()
    try:
        for data in sse.events(chunks):
            try:
                event = sse.value(data)
            except ValueError:
                raise m.ModelBadRequestError(
                    f"[{target.provider}] The stream holds an event that is not JSON: "
                    f"{data[:120].decode('utf-8', 'replace')}") from None
            text, thoughts = state.take(target, event)
            if text or thoughts:
                written.append(text or thoughts)
                yield m.Chunk(text, thoughts)
    except sse.EventTooLong as error:
        raise m.ModelBadRequestError(f"[{target.provider}] The stream is broken: {error}") from None
    except WireError as error:
        if not state.reason:
            raise m.ModelConnectionError(
                f"[{target.provider}] {error}, after {sum(map(len, written))} characters") from error
    if not state.reason and not written and not state.calls:
        raise m.ModelConnectionError(f"[{target.provider}] The stream ended without an answer")
    finish, usage = state.last(target, prompt, "".join(written))
    yield m.Chunk("", "", state.calls, finish, usage)
