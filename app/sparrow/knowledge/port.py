"""The engine's port to the knowledge bases (sparrow.engine.ports.Knowledge)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import attachments
from .retrieve import Passage, automatic, retrieve

if TYPE_CHECKING:
    from sparrow.engine.ports import HttpClient


class Port:
    """Answers retrieval requests of nodes and chat apps.

    `http` is the guarded client for external bases; `address` gives where a client finds a file, by its id.
    """

    def __init__(self, http: HttpClient | None = None, address: Callable[[str], str] = lambda file_id: ""):
        self.http, self.address = http, address

    def retrieve(self, request: Any, cancel: Any = None) -> list[dict[str, Any]]:
        """Return passages as the engine's nodes and the citations need them, best first; raise PortError."""
        from sparrow.engine.ports import PortError
        from sparrow.errors import SparrowError

        settings = self._settings(request)
        query = _question(request)
        if request.filter_mode == "automatic":
            found = automatic.conditions(query, list(request.dataset_ids), _asker(request.filter_model))
            if found:
                settings = {**(settings or {}), "metadata_filtering_conditions": found}
        try:
            found = retrieve(query, list(request.dataset_ids), settings, rerank=rerank, http=self.http,
                             source="app", away=request.away)
        except SparrowError as error:
            raise PortError(error.message, type(error).__name__) from error
        return [_entry(number, passage, self.address) for number, passage in enumerate(found, start=1)]

    @staticmethod
    def _settings(request: Any) -> dict[str, Any] | None:
        """Return the request's settings as a retrieval_model; None leaves each base its own."""
        config = request.config or {}
        given: dict[str, Any] = {}
        for name in ("top_k", "score_threshold", "reranking_enable", "reranking_mode", "search_method"):
            if config.get(name) is not None:
                given[name] = config[name]
        model = config.get("reranking_model") or {}
        if model:
            given["reranking_model"] = {
                "reranking_provider_name": model.get("reranking_provider_name") or model.get("provider") or "",
                "reranking_model_name": model.get("reranking_model_name") or model.get("model") or ""}
        if config.get("weights") and (config.get("reranking_mode") == "weighted_score"):
            given["weights"] = config["weights"]
        if request.filter_mode == "manual" and request.filter_conditions:
            given["metadata_filtering_conditions"] = request.filter_conditions
        return given or None


def _question(request: Any) -> str:
    """Return what is asked: the text, and what a model sees on images that come with it."""
    from sparrow.engine.ports import PortError
    from sparrow.errors import BadRequest

    ids = [file.related_id for file in request.attachments if file.type == "image" and file.related_id]
    try:
        return attachments.asked(request.query, ids) if ids else request.query
    except BadRequest as error:
        if request.query:  # the words are a question without the picture too
            return request.query
        raise PortError(error.message, type(error).__name__) from error


def _asker(config: dict[str, Any] | None) -> automatic.Ask:
    """Return a function that asks a node's model, or the default one where it names none."""
    def ask(prompt: str) -> str:
        from sparrow.messages import Message, ModelRef
        from sparrow.providers.store import hub

        given = config or {}
        ref = ModelRef(given["provider"], given["name"], given.get("mode") or "chat") \
            if given.get("provider") and given.get("name") else hub().default("llm")
        if ref is None:
            raise LookupError("There is no language model.")
        return "".join(part.text or "" for part in hub().chat(
            ref, [Message("user", prompt)], parameters=given.get("completion_params"), stream=False))

    return ask


def rerank(provider: str, model: str, query: str, texts: list[str]) -> list[float]:
    """Ask a provider's rerank model; return a score for each text."""
    from sparrow.errors import BadRequest
    from sparrow.messages import ModelError, ModelRef
    from sparrow.providers import vectors
    from sparrow.providers.store import hub

    scores = [0.0] * len(texts)
    try:
        for entry in vectors.rerank(hub(), ModelRef(provider, model), query, texts):
            scores[entry.index] = entry.score
    except ModelError as error:
        raise BadRequest(f"The rerank model {model} failed: {error}", code="completion_request_error") from error
    return scores


def _entry(position: int, passage: Passage, address: Callable[[str], str]) -> dict[str, Any]:
    return {
        "content": passage.text, "title": passage.document_name, "summary": passage.summary,
        "files": [attachments.entry(image, address(image.id)) for image in passage.images],
        "metadata": {
            "_source": "knowledge", "position": position, "dataset_id": passage.dataset_id,
            "dataset_name": passage.dataset_name, "document_id": passage.document_id,
            "document_name": passage.document_name, "data_source_type": passage.data_source_type,
            "segment_id": passage.segment_id, "retriever_from": "workflow", "score": passage.score,
            "segment_hit_count": passage.hit_count, "segment_word_count": passage.word_count,
            "segment_position": passage.position, "segment_index_node_hash": passage.hash,
            "doc_metadata": passage.doc_metadata, "page": passage.page, "heading": " > ".join(passage.heading),
            "place_kind": passage.place_kind, "place": passage.place, "highlights": passage.highlights,
            "child_chunks": passage.children}}
