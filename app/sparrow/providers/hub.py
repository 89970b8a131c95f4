"""The way to every model: finds the credential, speaks its protocol, falls back to the next one.

A `Hub` implements `sparrow.messages.ChatModel`, and embeddings, rerank, speech and moderation beside it. It
holds no state of the admin's: what is set up comes from a `Source`, asked on each call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sparrow import messages as m
from sparrow.providers import anthropic, catalog, errors, gemini, openai
from sparrow.providers.dial import Call, Cancelled, WireError
from sparrow.providers.target import Target
from sparrow.providers.types import Credential, ModelSpec, Source
from sparrow.providers.wire import Client, Exchange

_encode = msgspec.json.Encoder().encode
# Failures that another credential may not share, and how long the failed one goes to the end of the queue.
_FALL_BACK = {m.ModelConnectionError: 15.0, m.ModelServerUnavailableError: 15.0, m.ModelRateLimitError: 20.0,
              m.ModelAuthorizationError: 120.0}


class ChatStream:
    """The chunks of one reply. The request starts with the first `next`; `close` ends it, from any thread."""

    __slots__ = ("_call", "_chunks")

    def __init__(self, start: Callable[[Call], Iterator[m.Chunk]]):
        self._call = Call()
        self._chunks = start(self._call)

    def __iter__(self) -> Iterator[m.Chunk]:
        return self

    def __next__(self) -> m.Chunk:
        try:
            return next(self._chunks)
        except Cancelled:
            raise StopIteration from None

    def close(self) -> None:
        """End the HTTP request at once. A thread that waits for the next chunk sees the end of the stream."""
        self._call.close()
        try:
            self._chunks.close()  # type: ignore[attr-defined]
        except (ValueError, Cancelled):  # running in another thread, which wakes and ends it
            pass

    abort = close  # what the engine calls when a run is stopped

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Hub:
    """All models the admin has set up. One for the process; safe for threads."""

    def __init__(self, source: Source, client: Client | None = None):
        self.source = source
        self.client = client or Client()
        self._targets: dict[tuple[str, str, str, str], Target] = {}
        self._lock = threading.Lock()

    # --- finding a model -------------------------------------------------------------------------------------

    def resolve(self, ref: m.ModelRef, type_: str = "llm") -> tuple[str, ModelSpec]:
        """Return (native provider, description) of a model; raise ModelNotConfiguredError with what to do."""
        provider = catalog.native_id(ref.provider)
        if provider is None:
            raise m.ModelNotConfiguredError(f"Provider {ref.provider} does not exist.")
        if not ref.name:
            raise m.ModelNotConfiguredError("No model is chosen.")
        spec = self.source.model(provider, type_, ref.name)
        if spec is not None:
            if not spec.enabled:
                raise m.ModelNotConfiguredError(f"Model {ref.name} of {provider} is switched off.")
            return provider, spec
        spec = catalog.preset_model(provider, type_, ref.name)
        if spec is None:
            # An imported app may name a model that is newer than our list: let the server decide.
            spec = msgspec.structs.replace(catalog.guess(ref.name), type=type_, mode=ref.mode)
        return provider, spec

    def info(self, ref: m.ModelRef) -> m.ModelInfo:
        """Describe a chat model; raise ModelNotConfiguredError for one that is not set up."""
        provider, spec = self.resolve(ref)
        if not self.source.credentials(provider):
            raise self._no_credentials(provider)
        mode = "completion" if spec.mode == "completion" else "chat"
        return m.ModelInfo(m.ModelRef(ref.provider, ref.name, mode), frozenset(spec.features), spec.context_size)

    def default(self, type_: str) -> m.ModelRef | None:
        """Return the admin's default model of a kind."""
        found = self.source.default(type_)
        return m.ModelRef(*found) if found else None

    def targets(self, ref: m.ModelRef, type_: str = "llm") -> list[Target]:
        """Return the ways to a model, those that failed lately last."""
        provider, spec = self.resolve(ref, type_)
        credentials = self.source.credentials(provider)
        if not credentials:
            raise self._no_credentials(provider)
        found = [self._target(provider, credential, spec) for credential in credentials]
        if len(found) > 1:
            now = time.monotonic()
            found.sort(key=lambda target: target.resting > now)
        return found

    def _target(self, provider: str, credential: Credential, spec: ModelSpec) -> Target:
        key = (credential.id, spec.type, spec.model, spec.mode)
        target = self._targets.get(key)
        if target is None or target.credential != credential or target.spec != spec:
            with self._lock:
                if len(self._targets) > 1000:
                    self._targets.clear()
                preset = catalog.presets()[provider]
                target = Target(preset, credential, spec, catalog.rules(provider, spec))
                self._targets[key] = target
        return target

    @staticmethod
    def _no_credentials(provider: str) -> m.ModelNotConfiguredError:
        label = catalog.presets()[provider].label.en
        return m.ModelNotConfiguredError(f"{label} has no credentials yet: add a key on the models page.")

    # --- chat ------------------------------------------------------------------------------------------------

    def chat(self, ref: m.ModelRef, messages: list[m.Message], *, parameters: dict[str, Any] | None = None,
             tools: list[m.ToolSpec] | None = None, stop: list[str] | None = None,
             response_format: dict[str, Any] | None = None, stream: bool = True,
             user: str | None = None) -> ChatStream:
        """Yield the reply in chunks; see `sparrow.messages.ChatModel`.

        Credentials are tried in order until one gives a first chunk. Raises ModelError subclasses from `next`.
        """
        def start(call: Call) -> Iterator[m.Chunk]:
            begun = time.monotonic()

            def once(target: Target) -> Iterator[m.Chunk]:
                return self._chat(target, call, messages, parameters, tools, stop, response_format, stream, user)

            return self._timed(begun, self.first_of(self.targets(ref), once))

        return ChatStream(lambda call: _lazily(start, call))

    def first_of(self, targets: list[Target], once: Callable[[Target], Iterator[Any]]) -> Iterator[Any]:
        """Yield from the first target that answers; note those that fail in a way another may not."""
        for i, target in enumerate(targets):
            begun = False
            try:
                for item in once(target):
                    begun = True
                    yield item
                target.resting = 0.0
                return
            except tuple(_FALL_BACK) as error:
                pause = error.retry_after or next(s for kind, s in _FALL_BACK.items() if isinstance(error, kind))
                target.resting = time.monotonic() + min(pause, 300.0)
                if begun or i == len(targets) - 1:
                    raise

    @staticmethod
    def _timed(begun: float, chunks: Iterator[m.Chunk]) -> Iterator[m.Chunk]:
        first: float | None = None
        for chunk in chunks:
            if first is None and (chunk.text or chunk.reasoning or chunk.tool_calls):
                first = time.monotonic() - begun
            if chunk.usage is not None:
                chunk.usage.latency = time.monotonic() - begun
                chunk.usage.time_to_first_token = first
            yield chunk

    def _chat(self, target: Target, call: Call, messages: list[m.Message], parameters: dict[str, Any] | None,
              tools: list[m.ToolSpec] | None, stop: list[str] | None, response_format: dict[str, Any] | None,
              stream: bool, user: str | None) -> Iterator[m.Chunk]:
        protocol = target.preset.protocol
        speak = anthropic if protocol == "anthropic" else gemini if protocol == "gemini" else openai
        for attempt in range(4):
            body = speak.chat_body(target, messages, parameters=target.parameters(parameters), tools=tools,
                                   stop=stop, response_format=response_format, stream=stream, user=user)
            if speak is openai:
                url, headers = openai.endpoint(
                    target, "/completions" if target.completion else "/chat/completions")
            else:
                url, headers = speak.endpoint(target, stream)
            exchange = self.send(target, "POST", url, headers, _encode(body), call)
            try:
                if exchange.status >= 300:
                    refusal = self.refusal(target, exchange)
                    if exchange.status in (400, 422) and speak is openai and attempt < 3 and openai.learn(
                            target, body, str(refusal)):
                        continue
                    raise refusal
                yield from speak.reply(target, exchange, messages)
                return
            except WireError as error:
                raise errors.from_wire(target.provider, error) from error
            finally:
                exchange.close()

    # --- shared with the other kinds of model ----------------------------------------------------------------

    def send(self, target: Target, method: str, url: str, headers: dict[str, str], body: bytes | None,
             call: Call | None = None) -> Exchange:
        """Send a request; turn what fails below HTTP into ModelConnectionError."""
        try:
            return self.client.open(method, url, headers, body, timeouts=target.timeouts, call=call,
                                    **target.wire)
        except WireError as error:
            raise errors.from_wire(target.provider, error) from error

    def refusal(self, target: Target, exchange: Exchange) -> m.ModelError:
        """Read a reply that is not 2xx and return the error it stands for."""
        try:
            data = exchange.read(1024 * 1024)
        except WireError:
            data = b""
        return errors.from_status(target.provider, exchange.status, exchange.headers, data,
                                  target.credential.api_key)

    def call(self, target: Target, method: str, url: str, headers: dict[str, str],
             body: bytes | None) -> tuple[bytes, Exchange]:
        """Send a request and return the whole body of its 2xx reply; raise ModelError for any other."""
        exchange = self.send(target, method, url, headers, body)
        try:
            if exchange.status >= 300:
                raise self.refusal(target, exchange)
            return exchange.read(), exchange
        except WireError as error:
            raise errors.from_wire(target.provider, error) from error
        finally:
            exchange.close()

    def call_json(self, target: Target, url: str, headers: dict[str, str], body: Any) -> dict[str, Any]:
        """Post JSON and return the JSON object of the reply; an error object in it raises."""
        data, exchange = self.call(target, "POST", url, headers, _encode(body))
        reply = openai.decode_object(target, exchange, data)
        if reply.get("error"):
            raise errors.from_object(target.provider, reply["error"])
        return reply

    def attempt(self, ref: m.ModelRef, type_: str, once: Callable[[Target], Any]) -> Any:
        """Return what `once` returns for the first target that works."""
        return next(self.first_of(self.targets(ref, type_), lambda target: iter([once(target)])))


def _lazily(start: Callable[[Call], Iterator[m.Chunk]], call: Call) -> Iterator[m.Chunk]:
    yield from start(call)
