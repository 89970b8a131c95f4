"""Speech to text, text to speech, and moderation, by OpenAI's protocol."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import errors, openai
from sparrow.providers.dial import Call, WireError
from sparrow.providers.hub import Hub
from sparrow.providers.target import Target

_TEXT_LIMIT = 4000  # characters a text-to-speech call takes


def transcribe(hub: Hub, ref: m.ModelRef, audio: bytes, filename: str = "audio.mp3", *,
               language: str | None = None, mime_type: str = "application/octet-stream") -> str:
    """Return what is said in an audio file. Raises ModelError."""
    boundary = f"sparrow{secrets.token_hex(12)}"
    name = "".join(c if c.isascii() and c not in '"\\\r\n' else "_" for c in filename) or "audio"

    def once(target: Target) -> str:
        fields = {"model": target.model, "response_format": "json"}
        if language:
            fields["language"] = language
        body = b"".join(
            f'--{boundary}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items())
        body += (f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'
                 f"content-type: {mime_type}\r\n\r\n").encode() + audio + f"\r\n--{boundary}--\r\n".encode()
        url, headers = openai.endpoint(target, "/audio/transcriptions")
        headers["content-type"] = f"multipart/form-data; boundary={boundary}"
        data, exchange = hub.call(target, "POST", url, headers, body)
        reply = openai.decode_object(target, exchange, data)
        if reply.get("error"):
            raise errors.from_object(target.provider, reply["error"])
        return str(reply.get("text") or "")

    return hub.attempt(ref, "speech2text", once)


def speak(hub: Hub, ref: m.ModelRef, text: str, *, voice: str | None = None, format: str = "mp3",
          call: Call | None = None) -> Iterator[bytes]:
    """Yield the sound of a text as it arrives, in `format` (mp3, wav, opus, aac, flac, pcm). Raises ModelError.

    A text longer than a call takes is spoken in parts, cut at sentence ends; the parts' sounds follow one another,
    which every player takes for mp3 and opus.
    """
    def once(target: Target) -> Iterator[bytes]:
        voices = target.spec.voices
        chosen = voice if voice and (not voices or voice in voices) else (voices[0] if voices else voice or "alloy")
        for part in _parts(text):
            url, headers = openai.endpoint(target, "/audio/speech")
            body = {"model": target.model, "input": part, "voice": chosen, "response_format": format}
            exchange = hub.send(target, "POST", url, headers, msgspec.json.encode(body), call)
            try:
                if exchange.status >= 300:
                    raise hub.refusal(target, exchange)
                kind = exchange.headers.get("content-type", "")
                if kind.startswith(("application/json", "text/")):
                    data = exchange.read()
                    raise m.ModelBadRequestError(
                        f"[{target.provider}] No sound came back: {errors.reply_text(data) or kind}")
                yield from exchange.chunks()
            except WireError as error:
                raise errors.from_wire(target.provider, error) from error
            finally:
                exchange.close()

    return hub.first_of(hub.targets(ref, "tts"), once)


def _parts(text: str) -> list[str]:
    text = text.strip()
    parts = []
    while len(text) > _TEXT_LIMIT:
        at = max(text.rfind(mark, 0, _TEXT_LIMIT) for mark in "。！？.!?\n") + 1
        at = at if at > _TEXT_LIMIT // 4 else _TEXT_LIMIT
        parts.append(text[:at])
        text = text[at:].lstrip()
    return [*parts, text] if text else parts


def moderate(hub: Hub, ref: m.ModelRef, texts: list[str]) -> list[list[str]]:
    """Return for each text the categories that flag it; an empty list means it is fine. Raises ModelError."""
    if not texts:
        return []

    def once(target: Target) -> list[list[str]]:
        url, headers = openai.endpoint(target, "/moderations")
        reply = hub.call_json(target, url, headers, {"model": target.model, "input": texts})
        rows: list[dict[str, Any]] = [row for row in reply.get("results") or [] if isinstance(row, dict)]
        if len(rows) != len(texts):
            raise m.ModelBadRequestError(f"[{target.provider}] {len(rows)} verdicts came back for {len(texts)} texts")
        return [[name for name, hit in (row.get("categories") or {}).items() if hit] or ["flagged"]
                if row.get("flagged") else [] for row in rows]

    return hub.attempt(ref, "moderation", once)
