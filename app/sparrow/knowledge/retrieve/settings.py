"""Retrieval settings: Dify's `retrieval_model` object, checked."""

from __future__ import annotations

from typing import Any

import msgspec

from sparrow.errors import BadRequest

METHODS = ("semantic_search", "full_text_search", "hybrid_search", "keyword_search")
MAX_TOP_K = 100


class RetrievalSettings(msgspec.Struct):
    """How to search. `weights` is (vector, keyword) where the user chose them, None for the default."""

    method: str = "hybrid_search"
    top_k: int = 4
    threshold: float | None = None
    weights: tuple[float, float] | None = None
    rerank: tuple[str, str] | None = None  # provider, model
    conditions: dict[str, Any] | None = None


def parse(given: dict[str, Any] | None) -> RetrievalSettings:
    """Return the settings of a `retrieval_model` object; raise BadRequest that names the field."""
    given = given or {}
    out = RetrievalSettings()
    method = given.get("search_method") or "hybrid_search"
    if method not in METHODS:
        raise BadRequest(f"search_method must be one of {', '.join(METHODS)}.", params="search_method")
    out.method = method
    top_k = given.get("top_k")
    if top_k is not None:
        if isinstance(top_k, bool) or not isinstance(top_k, int | float) or not 1 <= top_k <= MAX_TOP_K:
            raise BadRequest(f"top_k must be from 1 to {MAX_TOP_K}.", params="top_k")
        out.top_k = int(top_k)
    threshold = given.get("score_threshold")
    if threshold is not None and given.get("score_threshold_enabled", True):
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise BadRequest("score_threshold must be from 0 to 1.", params="score_threshold")
        out.threshold = float(threshold)
    weights = given.get("weights")
    vector = _weight(weights, "vector_setting", "vector_weight")
    keyword = _weight(weights, "keyword_setting", "keyword_weight")
    if vector is not None or keyword is not None:
        out.weights = (1 - keyword if vector is None else vector, 1 - vector if keyword is None else keyword)
    model = given.get("reranking_model") or {}
    if given.get("reranking_enable") and given.get("reranking_mode") != "weighted_score" and isinstance(model, dict):
        provider = model.get("reranking_provider_name") or model.get("provider") or ""
        name = model.get("reranking_model_name") or model.get("model") or ""
        if name:
            out.rerank = (provider, name)
    conditions = given.get("metadata_filtering_conditions")
    if conditions:
        if not isinstance(conditions, dict):
            raise BadRequest("metadata_filtering_conditions must be an object.",
                             params="metadata_filtering_conditions")
        out.conditions = conditions
    return out


def _weight(weights: Any, setting: str, name: str) -> float | None:
    """Return a weight, None where it is not given or, in an app's file, is no number."""
    found = weights.get(setting) if isinstance(weights, dict) else None
    value = found.get(name) if isinstance(found, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= 1:
        raise BadRequest("weights must be from 0 to 1.", params="weights")
    return float(value)
