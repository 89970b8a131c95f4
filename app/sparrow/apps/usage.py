"""What model calls cost, as Dify's clients read it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sparrow.messages import Usage

_NOTHING = {"prompt_tokens": 0, "prompt_unit_price": "0.0", "prompt_price_unit": "0.0", "prompt_price": "0.0",
            "completion_tokens": 0, "completion_unit_price": "0.0", "completion_price_unit": "0.0",
            "completion_price": "0.0", "total_tokens": 0, "total_price": "0.0", "currency": "USD"}


def shown(usage: Usage | None, *, latency: float = 0.0) -> dict[str, Any]:
    """Return a usage object; zeros for an answer that no model gave."""
    if usage is None:
        return {**_NOTHING, "latency": round(latency, 3), "time_to_first_token": None, "time_to_generate": None}
    return {
        "prompt_tokens": usage.prompt_tokens, "prompt_unit_price": usage.prompt_unit_price,
        "prompt_price_unit": usage.prompt_price_unit, "prompt_price": usage.prompt_price,
        "completion_tokens": usage.completion_tokens, "completion_unit_price": usage.completion_unit_price,
        "completion_price_unit": usage.completion_price_unit, "completion_price": usage.completion_price,
        "total_tokens": usage.total_tokens, "total_price": usage.total_price, "currency": usage.currency,
        "latency": round(usage.latency or latency, 3), "time_to_first_token": None, "time_to_generate": None}


def add(total: Usage | None, more: Usage | None) -> Usage | None:
    """Return the sum of two usages; unit prices are those of the later one."""
    if total is None or more is None:
        return total or more
    return Usage(
        prompt_tokens=total.prompt_tokens + more.prompt_tokens,
        completion_tokens=total.completion_tokens + more.completion_tokens,
        total_tokens=total.total_tokens + more.total_tokens, prompt_unit_price=more.prompt_unit_price,
        completion_unit_price=more.completion_unit_price, prompt_price_unit=more.prompt_price_unit,
        completion_price_unit=more.completion_price_unit, prompt_price=_sum(total.prompt_price, more.prompt_price),
        completion_price=_sum(total.completion_price, more.completion_price),
        total_price=_sum(total.total_price, more.total_price), currency=more.currency,
        latency=total.latency + more.latency, time_to_first_token=total.time_to_first_token)


def _sum(first: str, second: str) -> str:
    return format(Decimal(first) + Decimal(second), "f")
