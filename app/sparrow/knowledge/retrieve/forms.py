"""The forms of Dify's retrieval objects: what is given or stored must fit them, what is shown is filled up by them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sparrow.errors import BadRequest
from sparrow.knowledge import fit

# Clients send an empty word for what they leave open.
Method = Literal["", "semantic_search", "full_text_search", "hybrid_search", "keyword_search"]
Operator = Literal["contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty", "in",
                   "not in", "=", "≠", ">", "<", "≥", "≤", "before", "after"]


class VectorSetting(msgspec.Struct, kw_only=True):
    """How much the vectors count."""

    vector_weight: float | None = None
    embedding_provider_name: str | None = None
    embedding_model_name: str | None = None


class KeywordSetting(msgspec.Struct, kw_only=True):
    """How much the words count."""

    keyword_weight: float | None = None


class Weights(msgspec.Struct, kw_only=True):
    """Weights of a hybrid search."""

    weight_type: Literal["", "semantic_first", "keyword_first", "customized"] | None = None
    vector_setting: VectorSetting | None = None
    keyword_setting: KeywordSetting | None = None


class RerankingModel(msgspec.Struct, kw_only=True):
    """A rerank model."""

    reranking_provider_name: str | None = None
    reranking_model_name: str | None = None


class Condition(msgspec.Struct):
    """A condition on a document's metadata."""

    name: str
    comparison_operator: Operator
    value: str | list[str | int | float] | int | float | None = None


class Conditions(msgspec.Struct, kw_only=True):
    """Conditions of which all or any must hold."""

    logical_operator: Literal["and", "or"] | None = None
    conditions: list[Condition] | None = None


class RetrievalModel(msgspec.Struct, kw_only=True):
    """Dify's `retrieval_model`."""

    search_method: Method | None = None
    reranking_enable: bool | None = None
    reranking_mode: Literal["", "reranking_model", "weighted_score"] | None = None
    reranking_model: RerankingModel | None = None
    weights: Weights | None = None
    top_k: int | None = None
    score_threshold_enabled: bool | None = None
    score_threshold: float | None = None
    metadata_filtering_conditions: Conditions | None = None


class ExternalModel(msgspec.Struct, kw_only=True):
    """Dify's `external_retrieval_model`."""

    top_k: int | None = None
    score_threshold: float | None = None
    score_threshold_enabled: bool | None = None


class SummarySetting(msgspec.Struct, kw_only=True):
    """Dify's `summary_index_setting`."""

    enable: bool | None = None
    model_name: str | None = None
    model_provider_name: str | None = None
    summary_prompt: str | None = None


_FORMS = {"retrieval_model": RetrievalModel, "external_retrieval_model": ExternalModel,
          "summary_index_setting": SummarySetting}


def fitted(name: str, given: Any) -> dict[str, Any] | None:
    """Return the object called `name` made to fit; raise BadRequest, which says what of it does not. None fits."""
    if given is None:
        return None
    if name == "retrieval_model":
        given = _as_documented(given)
    try:
        return fit.fitted(given, _FORMS[name])
    except msgspec.ValidationError as error:
        raise BadRequest(f"{name}: {error}", params=name) from error


def _as_documented(given: dict[str, Any]) -> dict[str, Any]:
    """Return a retrieval_model in the form of Dify's server, where a client goes by what its documents long said: the
    rerank model is in `reranking_mode`, and `weights` is the vectors' weight alone."""
    mode, weight = given.get("reranking_mode"), given.get("weights")
    if isinstance(mode, dict):
        given = {**given, "reranking_mode": "reranking_model", "reranking_model": mode}
    if isinstance(weight, int | float) and not isinstance(weight, bool):
        given = {**given, "weights": {"vector_setting": {"vector_weight": weight},
                                      "keyword_setting": {"keyword_weight": 1 - weight}}}
    return given


def filled(name: str, given: dict[str, Any] | None, default: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return an object with all the fields of its form: those that are not given are as in `default`, or null."""
    if given is None:
        return None
    told = {key: value for key, value in given.items() if value is not None}
    return _filled(_FORMS[name], {**(default or {}), **told})


def _filled(form: type, given: dict[str, Any]) -> dict[str, Any]:
    out = dict(given)
    for field in msgspec.structs.fields(form):
        value = out.setdefault(field.name, None)
        inner = _INNER.get(field.name)
        if inner is not None and (value is not None or inner is not Weights):
            # What was stored before it was checked may be of another type.
            out[field.name] = _filled(inner, value if isinstance(value, dict) else {})
    return out


_INNER: dict[str, type] = {"reranking_model": RerankingModel, "weights": Weights, "vector_setting": VectorSetting,
                           "keyword_setting": KeywordSetting}
