"""Dify's external knowledge contract, the server's side: another Dify asks the bases of this box.

There one enters this box's address with `/v1`, a knowledge key, and as the external knowledge id a base's id.
"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response, request

from sparrow.api.service import service
from sparrow.api.web import reply
from sparrow.errors import BadRequest, Forbidden, NotFound
from sparrow.knowledge import datasets, key
from sparrow.knowledge.port import rerank
from sparrow.knowledge.retrieve import Passage, retrieve
from sparrow.tools.outbound import Client

_MALFORMED, _REFUSED, _NO_KNOWLEDGE = 1001, 1002, 2001  # the contract's error codes


class Setting(msgspec.Struct, kw_only=True):
    """How many records, and how good they must be (0..1; 0 takes all)."""

    top_k: int | None = None
    score_threshold: float | None = None


class ExternalQuestion(msgspec.Struct, kw_only=True):
    """A question of another Dify. `metadata_condition`: {logical_operator, conditions: [{name, …}]}."""

    knowledge_id: str | None = None
    query: str | None = None
    retrieval_setting: Setting = msgspec.field(default_factory=Setting)
    metadata_condition: dict[str, Any] | None = None


class Record(msgspec.Struct):
    """A passage: score 0..1, the document's name as title, and what is known of the place."""

    content: str
    score: float
    title: str
    metadata: dict[str, Any]


class Records(msgspec.Struct):
    """What was found, best first."""

    records: list[Record]


class Refusal(msgspec.Struct):
    """A refusal in the contract's form."""

    error_code: int
    error_msg: str


@service.post("/retrieval", tag="datasets", public=True, reply=Records, refused=Refusal)
def retrieval(body: ExternalQuestion) -> Response:
    """Answer another Dify's external knowledge call with a knowledge key."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return _error(403, _MALFORMED, "Invalid Authorization header format. Expected 'Bearer <api-key>'.")
    if not key.authenticate(token.strip()):
        return _error(403, _REFUSED, "Authorization failed: this is not a knowledge key of this server.")
    if not body.knowledge_id:
        raise BadRequest("knowledge_id is required.", params="knowledge_id")
    if not body.query or not body.query.strip():
        raise BadRequest("query is required.", params="query")
    try:
        base = datasets.get(body.knowledge_id, api=True)
    except NotFound:
        return _error(404, _NO_KNOWLEDGE, "The knowledge does not exist.")
    except Forbidden as error:
        return _error(403, _REFUSED, error.message)
    given, threshold = body.retrieval_setting, body.retrieval_setting.score_threshold or None
    own = base["retrieval_model"] or {}
    settings = {**own, "top_k": given.top_k or own.get("top_k"), "score_threshold": threshold,
                "score_threshold_enabled": threshold is not None,
                "metadata_filtering_conditions": _conditions(body.metadata_condition)}
    found = retrieve(body.query, [base["id"]], settings, rerank=rerank, http=Client(), source="api")
    return reply(Records([_record(passage) for passage in found]))


def _conditions(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return conditions in the form of a retrieval_model: older callers name several fields in one condition."""
    if not given:
        return None
    entries = given.get("conditions") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadRequest("metadata_condition.conditions must be a list of objects.", params="metadata_condition")
    spread = [{**entry, "name": name} for entry in entries
              for name in (entry.get("name") if isinstance(entry.get("name"), list) else [entry.get("name")])]
    return {"logical_operator": given.get("logical_operator") or "and", "conditions": spread}


def _record(passage: Passage) -> Record:
    place = {passage.place_kind: passage.place} if passage.place_kind and passage.place else {}
    return Record(passage.text, passage.score, passage.document_name, {
        **(passage.doc_metadata or {}), "document_id": passage.document_id, "document_name": passage.document_name,
        "segment_id": passage.segment_id, "heading": " > ".join(passage.heading), **place})


def _error(status: int, code: int, message: str) -> Response:
    return reply({"error_code": code, "error_msg": message}, status)
