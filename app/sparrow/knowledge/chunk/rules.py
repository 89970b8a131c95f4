"""How a document is cut: Dify's process rules, checked and with their defaults."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sparrow.errors import BadRequest
from sparrow.knowledge import fit

MAX_TOKENS = 4000
MIN_TOKENS = 20
DEFAULT_TOKENS = 320
DEFAULT_OVERLAP = 40
FULL_DOCUMENT_TOKENS = 10_000
DOC_FORMS = ("text_model", "hierarchical_model", "qa_model")
PRE_RULES = ("remove_extra_spaces", "remove_urls_emails", "remove_stopwords")


class Segmentation(msgspec.Struct):
    """Where to cut and how long the pieces may be, in tokens."""

    separator: str = "\n\n"
    max_tokens: int = DEFAULT_TOKENS
    chunk_overlap: int = 0


class Rule(msgspec.Struct):
    """A process rule as the splitter uses it."""

    mode: Literal["automatic", "custom", "hierarchical"] = "automatic"
    pre: frozenset[str] = frozenset(["remove_extra_spaces"])
    segmentation: Segmentation = msgspec.field(
        default_factory=lambda: Segmentation(chunk_overlap=DEFAULT_OVERLAP))
    parent_mode: Literal["paragraph", "full-doc"] = "paragraph"
    child: Segmentation = msgspec.field(default_factory=lambda: Segmentation("\n", 120))


class GivenSegmentation(msgspec.Struct):
    """A `segmentation` of Dify's `process_rule`."""

    max_tokens: int | None = None
    chunk_overlap: int | None = None


class GivenPreRule(msgspec.Struct):
    """An entry of `pre_processing_rules`."""

    enabled: bool = False


class GivenRules(msgspec.Struct):
    """The `rules` of a `process_rule`."""

    pre_processing_rules: list[GivenPreRule] | None = None
    segmentation: GivenSegmentation | None = None
    subchunk_segmentation: GivenSegmentation | None = None


class Given(msgspec.Struct):
    """Dify's `process_rule`, as far as its values may come in more than one type."""

    rules: GivenRules | None = None


def default() -> dict[str, Any]:
    """Return the rule that is used where none is given, in Dify's form."""
    return {"mode": "automatic", "rules": {
        "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True},
                                 {"id": "remove_urls_emails", "enabled": False}],
        "segmentation": {"separator": "\n\n", "max_tokens": DEFAULT_TOKENS, "chunk_overlap": DEFAULT_OVERLAP},
        "parent_mode": "paragraph",
        "subchunk_segmentation": {"separator": "\n", "max_tokens": 120, "chunk_overlap": 0}}}


def fitted(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a `process_rule` with its numbers and truths as such; raise BadRequest where one is none.

    A client may ask for longer pieces than there are, as some do by default; it gets the longest.
    """
    if not given or not given.get("rules"):
        return given
    try:
        given = fit.fitted(given, Given)
    except msgspec.ValidationError as error:
        raise BadRequest(f"process_rule: {error}", params="process_rule") from error
    for name in ("segmentation", "subchunk_segmentation"):
        piece = given["rules"].get(name) or {}
        if (piece.get("max_tokens") or 0) > MAX_TOKENS:
            piece["max_tokens"] = MAX_TOKENS
    return given


def parse(given: dict[str, Any] | None, doc_form: str = "text_model") -> Rule:
    """Return the rule of Dify's `process_rule` object; raise BadRequest that names what is wrong."""
    if doc_form not in DOC_FORMS:
        raise BadRequest(f"doc_form must be one of {', '.join(DOC_FORMS)}.", params="doc_form")
    if not given:
        return _sized(Rule(), doc_form)
    if not isinstance(given, dict):
        raise BadRequest("process_rule must be an object.", params="process_rule")
    mode = given.get("mode") or "automatic"
    if mode not in ("automatic", "custom", "hierarchical"):
        raise BadRequest("process_rule.mode must be automatic, custom or hierarchical.", params="process_rule")
    rules = given.get("rules") or {}
    if not isinstance(rules, dict):
        raise BadRequest("process_rule.rules must be an object.", params="process_rule")
    rule = _sized(Rule(mode=mode), doc_form)
    entries = rules.get("pre_processing_rules")
    if entries is not None:
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise BadRequest("pre_processing_rules must be a list of objects.", params="process_rule")
        if not all(isinstance(entry.get("enabled", False), bool) for entry in entries):
            raise BadRequest("pre_processing_rules.enabled must be true or false.", params="process_rule")
        unknown = [str(entry.get("id")) for entry in entries if entry.get("id") not in PRE_RULES]
        if unknown:
            raise BadRequest(f"There is no pre-processing rule {unknown[0]!r}.", params="process_rule")
        rule.pre = frozenset(entry["id"] for entry in entries if entry.get("enabled"))
    if mode == "automatic" and doc_form != "hierarchical_model":
        return rule
    if rules.get("segmentation"):
        rule.segmentation = _segmentation(rules["segmentation"], "segmentation", rule.segmentation)
    if rules.get("subchunk_segmentation"):
        rule.child = _segmentation(rules["subchunk_segmentation"], "subchunk_segmentation", rule.child)
    parent_mode = rules.get("parent_mode") or "paragraph"
    if parent_mode not in ("paragraph", "full-doc"):
        raise BadRequest("parent_mode must be paragraph or full-doc.", params="process_rule")
    rule.parent_mode = parent_mode
    return rule


def _sized(rule: Rule, doc_form: str) -> Rule:
    if doc_form == "hierarchical_model":
        rule.segmentation = Segmentation("\n\n", 800)
    return rule


def _segmentation(given: Any, name: str, default: Segmentation) -> Segmentation:
    if not isinstance(given, dict):
        raise BadRequest(f"{name} must be an object.", params="process_rule")
    separator = given.get("separator", given.get("delimiter", default.separator))
    if separator is None or separator == "":
        separator = default.separator
    if not isinstance(separator, str):
        raise BadRequest(f"{name}.separator must be text.", params="process_rule")
    limit = given.get("max_tokens", default.max_tokens)
    limit = default.max_tokens if limit is None else limit
    overlap = given.get("chunk_overlap", default.chunk_overlap) or 0
    for key, value in (("max_tokens", limit), ("chunk_overlap", overlap)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadRequest(f"{name}.{key} must be a whole number.", params="process_rule")
    if not MIN_TOKENS <= limit <= MAX_TOKENS:
        raise BadRequest(f"{name}.max_tokens must be from {MIN_TOKENS} to {MAX_TOKENS}.", params="process_rule")
    if not 0 <= overlap < limit:
        raise BadRequest(f"{name}.chunk_overlap must be at least 0 and less than max_tokens.",
                         params="process_rule")
    # The separator arrives as typed in a form: \n as two characters.
    return Segmentation(separator.replace("\\n", "\n").replace("\\t", "\t"), limit, overlap)
