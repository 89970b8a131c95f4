"""What is said to a model and what it says back: plain data that engine, providers and tools share.

The shapes follow OpenAI's chat completions; every provider translates to and from these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(slots=True)
class Part:
    """One piece of a multi-part message. `data` is text, or a `data:` or http(s) URL for the other types."""

    type: Literal["text", "image", "audio", "video", "document"]
    data: str
    detail: Literal["low", "high", "auto"] | None = None
    filename: str | None = None
    mime_type: str | None = None


@dataclass(slots=True)
class ToolCall:
    """A call the model asks for; `arguments` is the JSON text as the model wrote it (may be invalid).

    `thought` is what the provider wants to see again, unchanged, when the call's result goes back to it (signed
    thoughts); only the provider that made it reads it.
    """

    id: str
    name: str
    arguments: str
    thought: Any = None


@dataclass(slots=True)
class Message:
    """One chat message. `content` is text or parts; `tool_call_id` ties a tool's reply to its call."""

    role: Role
    content: str | list[Part] = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_call_id: str | None = None
    name: str | None = None

    def text(self) -> str:
        """Return the text of the message, its parts joined by newlines."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.data for part in self.content if part.type == "text")


@dataclass(slots=True)
class ToolSpec:
    """A function offered to the model; `parameters` is a JSON schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class Usage:
    """What a call cost. Prices are decimal text, as Dify sends them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_unit_price: str = "0"
    completion_unit_price: str = "0"
    prompt_price_unit: str = "0.001"
    completion_price_unit: str = "0.001"
    prompt_price: str = "0"
    completion_price: str = "0"
    total_price: str = "0"
    currency: str = "USD"
    latency: float = 0.0
    time_to_first_token: float | None = None


@dataclass(slots=True)
class Chunk:
    """A piece of a streamed reply. The last one carries `finish_reason` and `usage`."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(slots=True, frozen=True)
class ModelRef:
    """Names a model: Dify's provider id (`langgenius/openai/openai`, `openai`…), the model and its mode."""

    provider: str
    name: str
    mode: Literal["chat", "completion"] = "chat"


@dataclass(slots=True, frozen=True)
class ModelInfo:
    """What a model can do; `features` are Dify's names: tool-call, multi-tool-call, stream-tool-call,
    vision, document, audio, video, structured-output, agent-thought."""

    ref: ModelRef
    features: frozenset[str] = frozenset()
    context_size: int = 8192


class ModelError(Exception):
    """A model call failed. `error_type` is Dify's class name, shown in traces and to API clients."""

    error_type = "InvokeError"

    def __init__(self, message: str, *, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class ModelConnectionError(ModelError):
    """The provider cannot be reached, timed out, or broke the stream."""

    error_type = "InvokeConnectionError"


class ModelServerUnavailableError(ModelError):
    """The provider answered 5xx."""

    error_type = "InvokeServerUnavailableError"


class ModelRateLimitError(ModelError):
    """The provider answered 429."""

    error_type = "InvokeRateLimitError"


class ModelAuthorizationError(ModelError):
    """The provider refused the key (401, 403)."""

    error_type = "InvokeAuthorizationError"


class ModelBadRequestError(ModelError):
    """The provider refused the request (other 4xx), or its answer made no sense."""

    error_type = "InvokeBadRequestError"


class ModelNotConfiguredError(ModelError):
    """No such provider, model or credential here; the admin has to set it up."""

    error_type = "ProviderNotInitializeError"


class ChatModel(Protocol):
    """What engine and domain need of the providers room."""

    def info(self, ref: ModelRef) -> ModelInfo:
        """Describe a model; raise ModelNotConfiguredError for one that is not set up."""

    def chat(self, ref: ModelRef, messages: list[Message], *, parameters: dict[str, Any] | None = None,
             tools: list[ToolSpec] | None = None, stop: list[str] | None = None,
             response_format: dict[str, Any] | None = None, stream: bool = True,
             user: str | None = None) -> Iterator[Chunk]:
        """Yield the reply in chunks (a single one if not `stream`); raise ModelError subclasses.

        Closing the iterator ends the HTTP request at once.
        """
