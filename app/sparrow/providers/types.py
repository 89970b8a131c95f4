"""What the providers room knows about providers: presets, credentials, models and their parameter rules."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

ModelType = Literal["llm", "text-embedding", "rerank", "speech2text", "tts", "moderation"]
MODEL_TYPES: tuple[ModelType, ...] = ("llm", "text-embedding", "rerank", "speech2text", "tts", "moderation")
FEATURES = ("tool-call", "multi-tool-call", "stream-tool-call", "vision", "document", "audio", "video",
            "structured-output", "agent-thought")


class Label(msgspec.Struct, frozen=True):
    """A text in both languages of the console."""

    en: str
    zh: str


class ParameterRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model parameter may be. `rename` is the name the server wants; `send` false drops it."""

    name: str
    type: Literal["float", "int", "string", "boolean", "text"] = "float"
    label: Label | None = None
    min: float | None = None
    max: float | None = None
    default: Any = None
    options: list[str] = []
    precision: int = 2
    rename: str | None = None
    send: bool = True


class Price(msgspec.Struct, frozen=True):
    """What tokens cost: `input` and `output` for `unit` tokens' worth (0.000001 = a million), decimal text."""

    input: str = "0"
    output: str = "0"
    unit: str = "0.000001"
    currency: str = "USD"


class ModelSpec(msgspec.Struct, frozen=True):
    """One model. `context_size` is in tokens; `parameters` override the rules of its kind."""

    model: str
    type: ModelType = "llm"
    mode: Literal["chat", "completion"] = "chat"
    features: list[str] = []
    context_size: int = 8192
    max_output: int = 0
    dimensions: int = 0
    parameters: list[ParameterRule] = []
    price: Price | None = None
    voices: list[str] = []
    enabled: bool = True


class Preset(msgspec.Struct, frozen=True):
    """A provider Sparrow knows: how to speak to it and what it usually offers."""

    id: str
    label: Label
    plugin_id: str
    base_url: str
    protocol: Literal["openai", "azure", "anthropic", "gemini", "local"] = "openai"
    aliases: list[str] = []
    key_required: bool = True
    help_url: str = ""
    help: Label | None = None
    local: bool = False
    models: list[ModelSpec] = []
    rerank_path: str = "/rerank"
    max_tokens_name: str = "max_tokens"
    embed_batch: int = 32
    stream_usage: bool = True


class Credential(msgspec.Struct, frozen=True):
    """One named way into a provider. `extra`: headers, api_version, verify_tls, ca, proxy, timeout,
    first_timeout, organization. The key is plain here; it is never shown by `repr`."""

    id: str
    provider: str
    name: str
    base_url: str
    api_key: str = ""
    extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Credential({self.provider}/{self.name}, {self.base_url})"

    __str__ = __repr__


class Source(Protocol):
    """Where the hub finds what the admin has set up. Answers must be quick: they are asked on every call."""

    def credentials(self, provider: str) -> list[Credential]:
        """Return the enabled credentials of a provider (native id), first choice first."""

    def model(self, provider: str, type_: str, name: str) -> ModelSpec | None:
        """Return the admin's own entry for a model, enabled or not; None if there is none."""

    def default(self, type_: str) -> tuple[str, str] | None:
        """Return (provider, model) that serve as the default of a kind."""
