"""What the nodes of a frame cost together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparrow.messages import Usage


@dataclass(slots=True)
class Totals:
    """What a frame's nodes cost: steps (attempts), handled and unhandled errors, model usage."""

    steps: int = 0
    exceptions: int = 0
    usage: Usage | None = None

    @property
    def tokens(self) -> int:
        """Return all tokens."""
        return self.usage.total_tokens if self.usage else 0

    def add(self, usage: Usage | None) -> None:
        """Add a model call's usage."""
        if usage is not None:
            self.usage = usage if self.usage is None else add_usage(self.usage, usage)


def add_usage(one: Usage, other: Usage) -> Usage:
    """Return the sum of two usages; unit prices are the later call's."""
    from decimal import Decimal

    def plus(a: str, b: str) -> str:
        return b if a in ("0", "0.0") else a if b in ("0", "0.0") else str(Decimal(a) + Decimal(b))

    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        total_tokens=one.total_tokens + other.total_tokens,
        prompt_unit_price=other.prompt_unit_price,
        completion_unit_price=other.completion_unit_price,
        prompt_price_unit=other.prompt_price_unit,
        completion_price_unit=other.completion_price_unit,
        prompt_price=plus(one.prompt_price, other.prompt_price),
        completion_price=plus(one.completion_price, other.completion_price),
        total_price=plus(one.total_price, other.total_price),
        currency=other.currency,
        latency=one.latency + other.latency,
        time_to_first_token=one.time_to_first_token or other.time_to_first_token,
    )


def usage_dict(usage: Usage | None) -> dict[str, Any] | None:
    """Return a usage as a dictionary of its fields."""
    if usage is None:
        return None
    return {name: getattr(usage, name) for name in Usage.__slots__}


def cost(totals: Totals) -> dict[str, Any]:
    """Return what a container's execution_metadata says of money."""
    usage = totals.usage
    if usage is None:
        return {"total_tokens": 0, "total_price": "0.0", "currency": "USD"}
    return {"total_tokens": usage.total_tokens, "total_price": usage.total_price, "currency": usage.currency}
