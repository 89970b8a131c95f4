"""Texts to vectors, and passages put in order of relevance, by a provider's models."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from sparrow import messages as m
from sparrow.providers import errors, gemini, openai
from sparrow.providers.hub import Hub
from sparrow.providers.target import Target


class _Row(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Row]


class _GeminiRow(msgspec.Struct):
    values: list[float]


class _GeminiReply(msgspec.Struct):
    embeddings: list[_GeminiRow]


class Ranked(msgspec.Struct, frozen=True):
    """A document's place in the given list, and how relevant it is (0 to 1 with most models)."""

    index: int
    score: float


def embed(hub: Hub, ref: m.ModelRef, texts: list[str], *, dimensions: int | None = None) -> list[list[float]]:
    """Return one vector a text, in order; all have the same length.

    Sends as many texts at once as the provider takes. Raises ModelError; a reply with too few vectors or of
    uneven length is a ModelBadRequestError.
    """
    if not texts:
        return []

    def once(target: Target) -> list[list[float]]:
        out: list[list[float]] = []
        step = int(target.credential.extra.get("embed_batch") or target.preset.embed_batch)
        for start in range(0, len(texts), step):
            out += _embed_some(hub, target, [text or " " for text in texts[start:start + step]], dimensions)
        if len({len(vector) for vector in out}) != 1 or not out[0]:
            raise m.ModelBadRequestError(f"[{target.provider}] The vectors are not all of the same length")
        return out

    return hub.attempt(ref, "text-embedding", once)


def _embed_some(hub: Hub, target: Target, texts: list[str], dimensions: int | None) -> list[list[float]]:
    if target.preset.protocol == "gemini":
        name = f"models/{target.model}"
        requests = [{"model": name, "content": {"parts": [{"text": text}]}}
                    | ({"outputDimensionality": dimensions} if dimensions else {}) for text in texts]
        url = f"{target.base_url}/v1beta/{name}:batchEmbedContents"
        data, exchange = hub.call(target, "POST", url, gemini.headers_of(target),
                                  msgspec.json.encode({"requests": requests}))
        try:
            vectors = [row.values for row in msgspec.json.decode(data, type=_GeminiReply).embeddings]
        except msgspec.MsgspecError:
            openai.decode_object(target, exchange, data)
            raise m.ModelBadRequestError(f"[{target.provider}] The reply holds no vectors") from None
    else:
        url, headers = openai.endpoint(target, "/embeddings")
        body: dict[str, Any] = {"model": target.model, "input": texts, "encoding_format": "float"}
        if dimensions:
            body["dimensions"] = dimensions
        data, exchange = hub.call(target, "POST", url, headers, msgspec.json.encode(body))
        try:
            rows = msgspec.json.decode(data, type=_Reply).data
        except msgspec.MsgspecError:
            reply = openai.decode_object(target, exchange, data)
            if reply.get("error"):
                raise errors.from_object(target.provider, reply["error"]) from None
            raise m.ModelBadRequestError(f"[{target.provider}] The reply holds no vectors") from None
        if all(row.index is not None for row in rows):
            rows.sort(key=lambda row: row.index)  # type: ignore[arg-type, return-value]
        vectors = [row.embedding for row in rows]
    if len(vectors) != len(texts):
        raise m.ModelBadRequestError(
            f"[{target.provider}] {len(vectors)} vectors came back for {len(texts)} texts")
    return vectors


def rerank(hub: Hub, ref: m.ModelRef, query: str, documents: list[str], *, top_n: int | None = None) -> list[Ranked]:
    """Return the documents' places, most relevant first, at most `top_n`. Raises ModelError."""
    if not documents:
        return []

    def once(target: Target) -> list[Ranked]:
        url, headers = _rerank_endpoint(target)
        limit = min(top_n or len(documents), len(documents))
        if target.provider == "tongyi":
            body: dict[str, Any] = {"model": target.model, "input": {"query": query, "documents": documents},
                                    "parameters": {"top_n": limit, "return_documents": False}}
        elif target.provider == "huggingface_tei":
            body = {"query": query, "texts": documents, "truncate": True}
        else:
            body = {"model": target.model, "query": query, "documents": documents, "top_n": limit}
        data, exchange = hub.call(target, "POST", url, headers, msgspec.json.encode(body))
        try:
            reply = msgspec.json.decode(data)
        except msgspec.DecodeError:
            reply = openai.decode_object(target, exchange, data)
        rows = reply
        if isinstance(reply, dict):
            rows = reply.get("results") or reply.get("data") or (reply.get("output") or {}).get("results")
        found = []
        for row in rows if isinstance(rows, list) else []:
            if not isinstance(row, dict):
                continue
            index = row.get("index")
            score = row.get("relevance_score", row.get("score"))
            if isinstance(index, int) and 0 <= index < len(documents) and isinstance(score, int | float):
                found.append(Ranked(index, float(score)))
        if not found:
            said = errors.reply_text(data) if isinstance(reply, dict) else ""
            raise m.ModelBadRequestError(f"[{target.provider}] The reply holds no ranking {said}".rstrip())
        found.sort(key=lambda row: -row.score)
        return found[:limit]

    return hub.attempt(ref, "rerank", once)


def _rerank_endpoint(target: Target) -> tuple[str, dict[str, str]]:
    url, headers = openai.endpoint(target, "/rerank")
    path = target.preset.rerank_path
    if target.provider == "tongyi":
        place = urlsplit(target.base_url)
        url = f"{place.scheme}://{place.netloc}/api/v1/services/rerank/text-rerank/text-rerank"
    elif path.startswith("http"):
        if target.base_url == target.preset.base_url:
            url = path
    elif path != "/rerank":
        url = target.base_url + path
    return url, headers
