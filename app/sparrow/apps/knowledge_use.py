"""Which knowledge bases an app uses: read from its definitions, kept as rows, so that a base knows its apps."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock
from sparrow.storage import db
from sparrow.storage.tables.account import settings
from sparrow.storage.tables.apps import apps, versions
from sparrow.storage.tables.knowledge import app_datasets


def of_config(config: dict[str, Any]) -> list[str]:
    """Return the knowledge bases of a model_config: of its dataset settings, and of agent tools in old files."""
    datasets = (config.get("dataset_configs") or {}).get("datasets")
    found = datasets.get("datasets") if isinstance(datasets, dict) else None
    items = list(found) if isinstance(found, list) else []
    items += (config.get("agent_mode") or {}).get("tools") or []
    found = [item["dataset"] for item in items if isinstance(item, dict) and isinstance(item.get("dataset"), dict)]
    wanted = [one.get("id") for one in found if one.get("enabled", True)]
    return list(dict.fromkeys(one for one in wanted if isinstance(one, str)))


def of_graph(content: dict[str, Any]) -> list[str]:
    """Return the knowledge bases that the retrieval nodes of a graph name."""
    found: dict[str, None] = {}
    for node in (content.get("graph") or {}).get("nodes") or []:
        data = node.get("data") or {}
        wanted = data.get("dataset_ids")
        if data.get("type") == "knowledge-retrieval" and isinstance(wanted, list):
            found.update((one, None) for one in wanted if isinstance(one, str))
    return list(found)


def record_all() -> int:
    """Note what the apps use that were made before it was noted, and return their number; run by `sparrow migrate`."""
    marked = settings.c.name == "app_datasets"
    with db.write() as tx:
        if tx.execute(settings.select().where(marked)).first() is None:
            return 0
        found = list(tx.execute(sa.select(apps.c.id)).scalars())
        for app_id in found:
            record(tx, app_id)
        tx.execute(settings.delete().where(marked))
    return len(found)


def record(tx: Connection, app_id: str) -> None:
    """Note what an app's draft and live version use; called in the transaction that writes either."""
    live = sa.select(apps.c.published_id).where(apps.c.id == app_id).scalar_subquery()
    contents = tx.execute(sa.select(versions.c.content).where(
        versions.c.app_id == app_id, sa.or_(versions.c.number == 0, versions.c.id == live))).scalars()
    wanted = {one[:36] for content in contents for one in (*of_config(content), *of_graph(content))}
    present = set(tx.execute(sa.select(app_datasets.c.dataset_id).where(app_datasets.c.app_id == app_id)).scalars())
    if present - wanted:
        tx.execute(app_datasets.delete().where(
            app_datasets.c.app_id == app_id, app_datasets.c.dataset_id.in_(present - wanted)))
    if wanted - present:
        tx.execute(app_datasets.insert(), [{"app_id": app_id, "dataset_id": one, "created_at": clock.now()}
                                           for one in sorted(wanted - present)])
