"""The knowledge retrieval node."""

from __future__ import annotations

from typing import Any

from sparrow.engine import template
from sparrow.engine.context import Context
from sparrow.engine.files import File
from sparrow.engine.nodes.base import Node, NodeError, Result
from sparrow.engine.ports import RetrievalRequest
from sparrow.engine.values import MISSING, jsonable


class KnowledgeRetrieval(Node):
    """Searches knowledge bases for a query variable's text."""

    def run(self, context: Context) -> Result:
        """Return `result`: passages, best first."""
        data = self.data
        inputs: dict[str, Any] = {}
        query = ""
        selector = data.get("query_variable_selector")
        if selector:
            found = context.pool.get(selector)
            if found is not MISSING and found is not None and not isinstance(found, str):
                raise NodeError("Query variable is not string type.", "KnowledgeRetrievalNodeError")
            query = found if isinstance(found, str) else ""
            inputs["query"] = query
        attachments: list[File] = []
        if data.get("query_attachment_selector"):
            found = context.pool.get(data["query_attachment_selector"])
            attachments = [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, File)]
            inputs["attachments"] = jsonable(attachments)
        datasets = [str(one) for one in data.get("dataset_ids") or ()]
        if not datasets or not (query or attachments):
            return Result({"result": []}, inputs)
        request = RetrievalRequest(
            query, datasets, data.get("retrieval_mode") or "multiple",
            dict(data.get("multiple_retrieval_config") or {}),
            (data.get("single_retrieval_config") or {}).get("model"), data.get("metadata_filtering_mode") or "disabled",
            _filled(data.get("metadata_filtering_conditions"), context), data.get("metadata_model_config"),
            attachments, context.user,
        )
        knowledge, cancel = context.need("knowledge"), context.cancel
        found = cancel.outrun(lambda: knowledge.retrieve(request, cancel))
        return Result({"result": found}, inputs, {"away": request.away} if request.away else {})


def _filled(conditions: Any, context: Context) -> dict[str, Any] | None:
    if not isinstance(conditions, dict):
        return None
    filled = []
    for item in conditions.get("conditions") or ():
        value = item.get("value")
        filled.append({**item, "value": template.render(value, context.pool) if isinstance(value, str) else value})
    return {**conditions, "conditions": filled}
