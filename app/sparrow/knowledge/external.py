"""External knowledge: ask a server of Dify's contract, `POST {endpoint}/retrieval` with a bearer key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sparrow.errors import BadRequest

from . import datasets

if TYPE_CHECKING:
    from .retrieve.search import Passage
    from .retrieve.settings import RetrievalSettings

TIMEOUT = 20.0


class ExternalError(BadRequest):
    """The external knowledge server failed; the message says how."""

    code = "external_knowledge_failed"


def retrieve(base: dict[str, Any], query: str, settings: RetrievalSettings) -> list[Passage]:
    """Return the passages an external base has for a question; raise ExternalError."""
    import urllib3

    from sparrow.storage import secrets

    from .retrieve.search import Passage

    api = datasets.external_api(base["external_knowledge_api_id"] or "")
    chosen = base["external_retrieval_model"] or {}
    body = {"knowledge_id": base["external_knowledge_id"], "query": query, "retrieval_setting": {
        "top_k": chosen.get("top_k") or settings.top_k,
        "score_threshold": chosen.get("score_threshold") or 0 if chosen.get("score_threshold_enabled") else 0}}
    if settings.conditions:
        body["metadata_condition"] = settings.conditions
    try:
        reply = urllib3.PoolManager().request(
            "POST", api["endpoint"].rstrip("/") + "/retrieval", body=msgspec.json.encode(body), timeout=TIMEOUT,
            retries=False, headers={"Content-Type": "application/json",
                                    "Authorization": f"Bearer {secrets.decrypt(api['api_key'])}"})
        if reply.status != 200:
            raise ExternalError(f"{api['name']} answered {reply.status}.")
        records = msgspec.json.decode(reply.data)["records"]
        return [Passage(
            "", base["id"], base["name"], "", str(record.get("title") or ""), str(record.get("content") or ""), None,
            float(record.get("score") or 0), number, [], "", "", [], [], "external", len(record.get("content") or ""),
            0, 0, "", None, record.get("metadata") or None) for number, record in enumerate(records, start=1)]
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ExternalError(f"{api['name']} cannot be reached: {error}") from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExternalError(f"{api['name']} answered something that is not a list of records.") from error
