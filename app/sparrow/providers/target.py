"""One model behind one credential: what a protocol needs to make a call."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sparrow import messages as m
from sparrow.providers.dial import Timeouts
from sparrow.providers.types import Credential, ModelSpec, ParameterRule, Preset

Reply = Iterator[m.Chunk]


class Target:
    """A model reached through a credential. `quirks` is what was learnt about its server, kept while it lives."""

    __slots__ = ("base_url", "completion", "credential", "model", "preset", "provider", "quirks", "resting",
                 "rules", "spec", "timeouts", "wire")

    def __init__(self, preset: Preset, credential: Credential, spec: ModelSpec, rules: list[ParameterRule]):
        self.preset, self.credential, self.spec = preset, credential, spec
        self.provider, self.model = preset.id, spec.model
        self.base_url = base_url(preset, credential.base_url)
        self.completion = spec.mode == "completion"
        self.rules = {rule.name: rule for rule in rules}
        self.quirks: set[str] = set()
        self.resting = 0.0  # monotonic time until which other credentials go first
        extra = credential.extra
        self.timeouts = Timeouts(float(extra.get("connect_timeout") or 10),
                                 float(extra.get("first_timeout") or extra.get("timeout") or 300),
                                 float(extra.get("timeout") or 120))
        self.wire: dict[str, Any] = {}
        if extra.get("verify_tls") is False:
            self.wire["verify"] = False
        if extra.get("ca"):
            self.wire["ca"] = str(extra["ca"])
        if extra.get("proxy"):
            self.wire["proxy"] = str(extra["proxy"])

    def parameters(self, given: dict[str, Any] | None) -> dict[str, Any]:
        """Put the caller's parameters through the model's rules.

        Text that is a number becomes one, values are brought into range, names become the server's; empty ones
        and those the model does not take are dropped. Parameters without a rule pass as they are. Raises
        ModelBadRequestError for a value that cannot be what the rule wants.
        """
        out: dict[str, Any] = {}
        for name, value in (given or {}).items():
            if value is None or value == "":
                continue
            rule = self.rules.get(name)
            if rule is None:
                out[name] = value
            elif rule.send:
                out[rule.rename or name] = fit(rule, value)
        return out

    def priced(self, usage: m.Usage) -> m.Usage:
        """Fill in what the tokens cost."""
        price = self.spec.price
        if price is not None:
            unit = Decimal(price.unit)
            usage.prompt_unit_price, usage.completion_unit_price = price.input, price.output
            usage.prompt_price_unit = usage.completion_price_unit = price.unit
            before = Decimal(price.input) * usage.prompt_tokens * unit
            after = Decimal(price.output) * usage.completion_tokens * unit
            usage.prompt_price, usage.completion_price = _plain(before), _plain(after)
            usage.total_price, usage.currency = _plain(before + after), price.currency
        return usage


def fit(rule: ParameterRule, value: Any) -> Any:
    """Return a value as a rule wants it; raise ModelBadRequestError if that cannot be."""
    try:
        if rule.type in ("float", "int"):
            number = float(value)
            if number != number or number in (float("inf"), float("-inf")):
                raise ValueError
            number = max(number, rule.min) if rule.min is not None else number
            number = min(number, rule.max) if rule.max is not None else number
            return int(number) if rule.type == "int" else round(number, max(rule.precision, 2))
        if rule.type == "boolean":
            return value if isinstance(value, bool) else str(value).lower() in ("true", "1", "yes", "on")
    except (TypeError, ValueError):
        raise m.ModelBadRequestError(f"The parameter {rule.name} should be a number, not {value!r}") from None
    if rule.options and isinstance(value, str) and value not in rule.options:
        raise m.ModelBadRequestError(
            f"The parameter {rule.name} should be one of {', '.join(rule.options)}, not {value!r}")
    return value


def base_url(preset: Preset, given: str) -> str:
    """Return an address as the protocols want it: without a final slash, a pasted endpoint or a missing /v1."""
    url = (given or preset.base_url).strip().rstrip("/")
    for tail in ("/chat/completions", "/completions", "/embeddings", "/models"):
        url = url.removesuffix(tail)
    if preset.protocol == "openai" and (preset.local or preset.id == "openai_api_compatible") \
            and url.count("/") == 2 and "://" in url:
        url += "/v1"
    if preset.protocol == "anthropic":
        url = url.removesuffix("/messages").removesuffix("/v1")
    if preset.protocol == "gemini":
        url = url.removesuffix("/v1beta").removesuffix("/v1")
    return url


def _plain(value: Decimal) -> str:
    return format(value.quantize(Decimal("0.0000001")).normalize(), "f")
