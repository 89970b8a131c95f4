"""“Test connection”: is a model server there, does it take the key, what does it offer, how fast."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import catalog, errors, gemini, openai
from sparrow.providers.hub import Hub
from sparrow.providers.target import Target
from sparrow.providers.types import Credential, ModelSpec, Preset
from sparrow.providers.wire import Client

_PATIENCE = {"connect_timeout": 5, "first_timeout": 20, "timeout": 20}


class Found(msgspec.Struct):
    """What a test found. `base_url` is the address that works, which may be longer than the one given."""

    ok: bool
    latency_ms: int
    models: list[ModelSpec]
    base_url: str
    error: str | None = None
    error_type: str | None = None
    reply: str | None = None


class _Once:
    """A source with one credential."""

    def __init__(self, credential: Credential):
        self._credential = credential

    def credentials(self, provider: str) -> list[Credential]:
        return [self._credential]

    def model(self, provider: str, type_: str, name: str) -> ModelSpec | None:
        return None

    def default(self, type_: str) -> tuple[str, str] | None:
        return None


def check(preset: Preset, base_url: str, api_key: str, *, extra: dict[str, Any] | None = None,
         model: str | None = None, type_: str = "llm") -> Found:
    """Ask a server for its models, and, if `model` is given, for one word of it. Never raises ModelError."""
    credential = Credential("test", preset.id, "test", base_url, api_key, _PATIENCE | (extra or {}))
    hub = Hub(_Once(credential), Client())
    begun = time.monotonic()
    target = Target(preset, credential, ModelSpec(model or ""), [])
    found = Found(False, 0, [], target.base_url)
    if preset.key_required and not api_key:
        found.error, found.error_type = "Enter the API key.", "ProviderNotInitializeError"
        return found
    try:
        try:
            found.models, found.base_url = models_of(hub, target)
        except m.ModelBadRequestError:
            # Some servers have no list of models; then only a call can tell.
            if not model:
                raise
        found.latency_ms = _since(begun)
        if model:
            begun = time.monotonic()
            fixed = msgspec.structs.replace(credential, base_url=found.base_url)
            hub.source = _Once(fixed)
            found.reply = _one_word(hub, preset, model, type_)
            found.latency_ms = _since(begun)
        found.ok = True
    except m.ModelError as error:
        found.latency_ms = _since(begun)
        found.error, found.error_type = str(error), error.error_type
    finally:
        hub.client.close()
    return found


def _since(begun: float) -> int:
    return max(1, round((time.monotonic() - begun) * 1000))


def models_of(hub: Hub, target: Target) -> tuple[list[ModelSpec], str]:
    """Return the models a server lists, and the address under which it does. Raises ModelError."""
    preset = target.preset
    if preset.protocol == "gemini":
        reply = _get(hub, target, f"{target.base_url}/v1beta/models?pageSize=1000", gemini.headers_of(target))
        return [msgspec.structs.replace(_spec(preset, row["name"].removeprefix("models/")),
                                        context_size=row.get("inputTokenLimit") or 32768)
                for row in reply.get("models") or [] if isinstance(row, dict) and row.get("name")], target.base_url
    if preset.protocol == "anthropic":
        from sparrow.providers import anthropic

        reply = _get(hub, target, f"{target.base_url}/v1/models?limit=1000", anthropic.endpoint(target, False)[1])
        return _listed(preset, reply), target.base_url
    if preset.protocol == "azure":
        headers = {"api-key": target.credential.api_key}
        version = target.credential.extra.get("api_version") or "2024-10-21"
        reply = _get(hub, target, f"{target.base_url}/openai/models?api-version={version}", headers)
        return list(preset.models), target.base_url  # the list holds base models, not deployments
    _, headers = openai.endpoint(target, "/models")
    try:
        reply = _get(hub, target, target.base_url + "/models", headers)
    except m.ModelBadRequestError:
        if target.base_url.endswith("/v1"):
            raise
        # The most common slip: the address of the server instead of that of its API.
        reply = _get(hub, target, target.base_url + "/v1/models", headers)
        return _listed(preset, reply), target.base_url + "/v1"
    return _listed(preset, reply), target.base_url


def _get(hub: Hub, target: Target, url: str, headers: dict[str, str]) -> dict[str, Any]:
    data, exchange = hub.call(target, "GET", url, headers, None)
    reply = openai.decode_object(target, exchange, data)
    if reply.get("error"):
        raise errors.from_object(target.provider, reply["error"])
    if not isinstance(reply.get("data") or reply.get("models") or [], list) or not (
            "data" in reply or "models" in reply):
        raise m.ModelBadRequestError(
            f"[{target.provider}] This is not the API of a model server: its list of models makes no sense; "
            "check the base URL")
    return reply


def _listed(preset: Preset, reply: dict[str, Any]) -> list[ModelSpec]:
    out = []
    for row in reply.get("data") or reply.get("models") or []:
        name = (row.get("id") or row.get("name") or row.get("model")) if isinstance(row, dict) else row
        if isinstance(name, str) and name:
            spec = _spec(preset, name)
            size = isinstance(row, dict) and next(
                (row[key] for key in ("context_length", "max_model_len", "context_window", "max_context_length")
                 if isinstance(row.get(key), int)), 0)
            out.append(msgspec.structs.replace(spec, context_size=size) if size else spec)
    return out


def _spec(preset: Preset, name: str) -> ModelSpec:
    return next((spec for spec in preset.models if spec.model == name), None) or catalog.guess(name)


def _one_word(hub: Hub, preset: Preset, model: str, type_: str) -> str:
    ref = m.ModelRef(preset.id, model)
    if type_ == "llm":
        parts = []
        for chunk in hub.chat(ref, [m.Message("user", "Say OK.")], parameters={"max_tokens": 16}):
            parts.append(chunk.text or chunk.reasoning)
        return "".join(parts)[:200]
    from sparrow.providers import speech, vectors

    if type_ == "text-embedding":
        return f"{len(vectors.embed(hub, ref, ['OK'])[0])} dimensions"
    if type_ == "rerank":
        best = vectors.rerank(hub, ref, "a bird", ["a stone", "a sparrow is a bird"])[0]
        return f"score {best.score:.3f}"
    if type_ == "tts":
        return f"{sum(map(len, speech.speak(hub, ref, 'OK')))} bytes"
    if type_ == "moderation":
        speech.moderate(hub, ref, ["OK"])
    return "OK"
