"""Calling a model from a node: stop button, timing, usage in Dify's form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparrow import clock
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import NodeError
from sparrow.messages import Chunk, Message, ModelRef, ToolCall, ToolSpec, Usage

NO_COST = {"total_tokens": 0, "total_price": "0.0", "currency": "USD"}


def chat(context: Context, ref: ModelRef, messages: list[Message], *, parameters: dict[str, Any],
         stop: list[str] | None = None, tools: list[ToolSpec] | None = None,
         response_format: dict[str, Any] | None = None, stream: bool = True) -> Iterator[Chunk]:
    """Yield a model's reply; end it at once when the run is stopped."""
    chunks = context.need("models").chat(
        ref, messages, parameters=parameters, stop=stop, tools=tools, response_format=response_format,
        stream=stream, user=context.user,
    )
    abort = getattr(chunks, "abort", None)
    forget = context.cancel.on_cancel(abort) if abort is not None else None
    try:
        for chunk in chunks:
            if context.cancel.cancelled:
                break
            yield chunk
        if context.cancel.cancelled:  # an aborted reply just ends: it must not pass for a whole one
            raise NodeError("stopped", "Stopped")
    finally:
        if forget is not None:
            forget()
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


class Reply:
    """A reply as it grows; feed it chunks."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls: list[ToolCall] = []
        self.finish_reason: str | None = None
        self.usage = Usage()
        self._begun = clock.monotonic()
        self._first: float | None = None

    def add(self, chunk: Chunk) -> None:
        """Take a chunk."""
        if self._first is None and (chunk.text or chunk.reasoning or chunk.tool_calls):
            self._first = clock.monotonic()
        if chunk.text:
            self.pieces.append(chunk.text)
        if chunk.reasoning:
            self.reasoning.append(chunk.reasoning)
        self.tool_calls += chunk.tool_calls
        if chunk.finish_reason:
            self.finish_reason = chunk.finish_reason
        if chunk.usage:
            self.usage = chunk.usage

    @property
    def text(self) -> str:
        """Return all text."""
        return "".join(self.pieces)

    def settle(self) -> None:
        """Fill in what the provider did not measure."""
        now = clock.monotonic()
        if not self.usage.latency:
            self.usage.latency = round(now - self._begun, 3)
        if self.usage.time_to_first_token is None and self._first is not None:
            self.usage.time_to_first_token = round(self._first - self._begun, 3)

    def usage_dict(self, timed: bool = True) -> dict[str, Any]:
        """Return the usage as Dify shows it in outputs."""
        usage = self.usage
        first = usage.time_to_first_token if timed else None
        return {
            "prompt_tokens": usage.prompt_tokens,
            "prompt_unit_price": usage.prompt_unit_price,
            "prompt_price_unit": usage.prompt_price_unit,
            "prompt_price": usage.prompt_price,
            "completion_tokens": usage.completion_tokens,
            "completion_unit_price": usage.completion_unit_price,
            "completion_price_unit": usage.completion_price_unit,
            "completion_price": usage.completion_price,
            "total_tokens": usage.total_tokens,
            "total_price": usage.total_price,
            "currency": usage.currency,
            "latency": usage.latency,
            "time_to_first_token": first,
            "time_to_generate": None if first is None else round(max(usage.latency - first, 0.0), 3),
        }

    def cost(self) -> dict[str, Any]:
        """Return what execution_metadata says."""
        return {"total_tokens": self.usage.total_tokens, "total_price": self.usage.total_price,
                "currency": self.usage.currency}


def ask(context: Context, ref: ModelRef, messages: list[Message], *, parameters: dict[str, Any],
        stop: list[str] | None = None, tools: list[ToolSpec] | None = None, stream: bool = True) -> Reply:
    """Return the whole reply."""
    reply = Reply()
    for chunk in chat(context, ref, messages, parameters=parameters, stop=stop, tools=tools, stream=stream):
        reply.add(chunk)
    reply.settle()
    return reply
