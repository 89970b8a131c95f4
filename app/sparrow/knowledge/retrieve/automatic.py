"""Metadata conditions that a language model reads out of the question."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from sparrow.storage import db
from sparrow.storage.tables import knowledge as t

from .filters import BUILT_IN, OPERATORS

log = logging.getLogger(__name__)

_TYPES = {"upload_date": "time", "last_update_date": "time"}
_SAMPLES = 5  # values shown to the model of each field

PROMPT = """Documents carry the metadata fields below. Read which conditions the question sets on them. Leave out \
what it does not say, and never guess. Times are Unix seconds. Answer with a JSON array only, [] for no condition:
[{{"name": "field", "comparison_operator": "one of {operators}", "value": "text or number"}}]

Fields:
{fields}

Question: {query}"""

Ask = Callable[[str], str]  # a prompt to the model's reply


def conditions(query: str, dataset_ids: list[str], ask: Ask) -> dict[str, Any] | None:
    """Return Dify's `{logical_operator, conditions}` for a question; None where it sets none, as in Dify when the
    model fails.
    """
    fields = _fields(dataset_ids)
    if not fields:
        return None
    try:
        reply = ask(PROMPT.format(operators=", ".join(OPERATORS), query=query, fields="\n".join(
            f"- {name} ({kind})" + (f", for example: {', '.join(samples)}" if samples else "")
            for name, (kind, samples) in fields.items())))
    except Exception as error:  # a filter narrows a search; without one the search still answers
        log.warning("the metadata filter was left out: %s", error)
        return None
    found = [entry for entry in _entries(reply) if entry["name"] in fields]
    return {"logical_operator": "and", "conditions": found} if found else None


def _fields(dataset_ids: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Return {name: (type, sample values)} of the fields that some of the bases' documents have."""
    with db.read() as tx:
        own = dict(tx.execute(sa.select(t.metadata_fields.c.name, t.metadata_fields.c.type).where(
            t.metadata_fields.c.dataset_id.in_(dataset_ids))).all())
        built_in = tx.execute(sa.select(t.datasets.c.id).where(
            t.datasets.c.id.in_(dataset_ids), t.datasets.c.built_in_field_enabled.is_(True)).limit(1)).first()
        values = list(tx.execute(sa.select(t.documents.c.doc_metadata).where(
            t.documents.c.dataset_id.in_(dataset_ids), t.documents.c.enabled.is_(True)).limit(500)).scalars())
    if built_in is not None:
        own.update({name: _TYPES.get(name, "string") for name in BUILT_IN if name not in own})
    out = {}
    for name, kind in own.items():
        seen = dict.fromkeys(str(entry[name])[:60] for entry in values if entry and entry.get(name) not in (None, ""))
        out[name] = (kind, list(seen)[:_SAMPLES])
    return out


def _entries(reply: str) -> list[dict[str, Any]]:
    match = re.search(r"\[.*\]", reply, re.S)
    try:
        found = msgspec.json.decode(match[0]) if match else []
    except msgspec.DecodeError:
        return []
    return [{"name": entry["name"], "comparison_operator": entry["comparison_operator"], "value": entry.get("value")}
            for entry in found if isinstance(entry, dict) and isinstance(entry.get("name"), str)
            and entry.get("comparison_operator") in OPERATORS
            and isinstance(entry.get("value"), str | int | float | None)]
