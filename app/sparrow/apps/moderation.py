"""Content moderation: words the admin forbids, an HTTP service, or a provider's moderation model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparrow.errors import BadRequest

# How much text is generated between two looks at it.
_EVERY = 300


@dataclass(slots=True)
class Verdict:
    """Something was found. `preset` replaces the text; `inputs` and `query` are the cleaned ones, if given."""

    preset: str = ""
    action: str = "direct_output"
    inputs: dict[str, Any] | None = None
    query: str | None = None
    text: str | None = None


class Moderation:
    """An app's moderation; both checks return None where nothing is wrong."""

    def __init__(self, feature: dict[str, Any], app_id: str = ""):
        config = feature.get("config")
        self.kind = feature.get("type") or ""
        self.config = config if isinstance(config, dict) else {}
        self.app_id = app_id
        self._inputs, self._outputs = self._part("inputs_config"), self._part("outputs_config")
        self.words = [word.strip().lower() for word in str(self.config.get("keywords") or "").splitlines()
                      if word.strip()]

    def _part(self, name: str) -> dict[str, Any]:
        part = self.config.get(name)
        return part if isinstance(part, dict) and part.get("enabled") else {}

    @property
    def watches_output(self) -> bool:
        """Whether answers are looked at."""
        return bool(self._outputs) and self.kind in ("keywords", "api", "openai_moderation")

    def check_input(self, inputs: dict[str, Any], query: str) -> Verdict | None:
        """Look at what the user sent."""
        if not self._inputs:
            return None
        if self.kind == "api":
            return self._ask("app.moderation.input", {"inputs": inputs, "query": query})
        texts = [str(value) for value in inputs.values() if value is not None] + [query]
        return Verdict(self._inputs.get("preset_response") or "") if self._flagged("\n".join(texts)) else None

    def check_output(self, text: str) -> Verdict | None:
        """Look at an answer."""
        if not self.watches_output:
            return None
        if self.kind == "api":
            return self._ask("app.moderation.output", {"text": text})
        return Verdict(self._outputs.get("preset_response") or "") if self._flagged(text) else None

    def _flagged(self, text: str) -> bool:
        if self.kind == "keywords":
            text = text.lower()
            return any(word in text for word in self.words)
        if self.kind == "openai_moderation":
            from sparrow.apps import surroundings

            return surroundings.flagged(text)
        return False

    def _ask(self, point: str, parameters: dict[str, Any]) -> Verdict | None:
        from sparrow.apps import extension

        reply = extension.call(self.config.get("api_based_extension_id"), point,
                               {"app_id": self.app_id, **parameters})
        if not reply.get("flagged"):
            return None
        return Verdict(str(reply.get("preset_response") or ""), str(reply.get("action") or "direct_output"),
                       inputs=reply.get("inputs") if isinstance(reply.get("inputs"), dict) else None,
                       query=reply.get("query"), text=reply.get("text"))


class Watch:
    """Looks at an answer while it grows."""

    def __init__(self, moderation: Moderation | None):
        self._moderation = moderation if moderation is not None and moderation.watches_output else None
        self._seen = 0

    def look(self, text: str, *, final: bool = False) -> Verdict | None:
        """Check the whole text so far, if enough of it is new."""
        if self._moderation is None or not text or (not final and len(text) - self._seen < _EVERY):
            return None
        self._seen = len(text)
        return self._moderation.check_output(text)


def of(feature: dict[str, Any], app_id: str) -> Moderation | None:
    """Return an app's moderation, None if it is off."""
    if not feature:
        return None
    kind = feature.get("type")
    if kind not in ("keywords", "api", "openai_moderation"):
        raise BadRequest(f"sensitive_word_avoidance.type: '{kind}' is not known",
                         params="sensitive_word_avoidance.type")
    return Moderation(feature, app_id)
