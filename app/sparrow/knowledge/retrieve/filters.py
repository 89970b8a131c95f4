"""Metadata conditions: which documents of a base a search may use."""

from __future__ import annotations

from typing import Any

from sparrow.errors import BadRequest

OPERATORS = ("contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty", "in", "not in",
             "=", "≠", ">", "<", "≥", "≤", "before", "after")
BUILT_IN = ("document_name", "uploader", "upload_date", "last_update_date", "source")


def values_of(document: Any) -> dict[str, Any]:
    """Return a document's metadata by name: its own, and the built-in fields."""
    return {"document_name": document["name"], "uploader": "admin", "upload_date": document["created_at"],
            "last_update_date": document["updated_at"], "source": document["data_source_type"],
            **(document["doc_metadata"] or {})}


def matches(values: dict[str, Any], conditions: dict[str, Any]) -> bool:
    """Tell whether metadata fulfils Dify's `{logical_operator, conditions}` object; raise BadRequest."""
    found = []
    for entry in conditions.get("conditions") or []:
        if not isinstance(entry, dict):
            raise BadRequest("A metadata condition must be an object.", params="metadata_filtering_conditions")
        operator = entry.get("comparison_operator")
        if operator not in OPERATORS:
            raise BadRequest(f"There is no comparison operator {operator!r}.",
                             params="metadata_filtering_conditions")
        found.append(_holds(values.get(entry.get("name") or ""), operator, entry.get("value")))
    if not found:
        return True
    return any(found) if conditions.get("logical_operator") == "or" else all(found)


def _holds(have: Any, operator: str, wanted: Any) -> bool:
    if operator == "empty":
        return have in (None, "")
    if operator == "not empty":
        return have not in (None, "")
    if wanted is None or (wanted == "" and operator not in ("is", "is not")):
        return True  # a condition left open restricts nothing, as in Dify
    if operator in ("in", "not in"):
        options = wanted if isinstance(wanted, list) else str(wanted).split(",")
        return (str(have or "") in {str(option).strip() for option in options}) == (operator == "in")
    if operator in ("=", "≠", ">", "<", "≥", "≤", "before", "after"):
        left, right = _number(have), _number(wanted)
        if left is None or right is None:
            return operator == "≠"
        return {"=": left == right, "≠": left != right, ">": left > right, "<": left < right, "≥": left >= right,
                "≤": left <= right, "before": left < right, "after": left > right}[operator]
    text, part = str(have or ""), str(wanted)
    return {"contains": part in text, "not contains": part not in text, "start with": text.startswith(part),
            "end with": text.endswith(part), "is": text == part, "is not": text != part}[operator]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
