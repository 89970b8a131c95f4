"""What starts by itself at a time: workflows with a schedule, forms that time out, the settling of lost runs.

Imported by the worker, which stays light: what a run needs is imported by the jobs, in their own processes.
"""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa

from sparrow import clock
from sparrow.apps import settle
from sparrow.storage import db, queue
from sparrow.storage.tables.account import settings
from sparrow.storage.tables.apps import apps as table
from sparrow.storage.tables.apps import versions
from sparrow.storage.tables.runs import forms

log = logging.getLogger(__name__)

_FIRED = "schedules"  # the setting that keeps when each schedule last fired: {"app:node": Unix time}
_EVERY = 20.0
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_looked = -_EVERY
_known: dict[str, list[dict[str, Any]]] = {}  # schedule nodes by version; versions never change


def tick() -> None:
    """Look for what is due: schedules, forms that time out, runs whose process is gone. The worker calls this every
    few seconds; it looks no more often than every 20."""
    global _looked
    if clock.monotonic() - _looked < _EVERY:
        return
    _looked = clock.monotonic()
    settle.settle()
    with db.read() as tx:
        late = tx.execute(sa.select(forms.c.id).where(forms.c.status == "waiting", forms.c.expires_at <= clock.now())
                          .limit(1)).first()
    if late is not None:
        queue.submit("expire_forms", {}, key="expire_forms")
    for app_id, node_id in _due():
        queue.submit("run_schedule", {"app_id": app_id, "node_id": node_id})


def run_schedule(payload: dict[str, Any], job: Any) -> None:
    """Run a workflow whose time has come; a job of the worker."""
    from sparrow.apps import app as apps
    from sparrow.apps import trigger

    app = apps.get(payload["app_id"])
    if not app.published_id or not any(node["id"] == payload["node_id"] for node in _schedules(app.published_id)):
        return
    trigger.start(app, payload["node_id"], {}, "schedule").wait()


def expire_forms(payload: dict[str, Any], job: Any) -> None:
    """Time out forms and stay until their runs have ended or wait again; a job of the worker."""
    from sparrow.apps import form, live

    form.expire()
    live.wait_for_all()


def _due() -> list[tuple[str, str]]:
    """Return the schedules whose time has come, and note that they fire now: each at most once for all it missed."""
    with db.read() as tx:
        rows = tx.execute(sa.select(table.c.id, table.c.published_id, versions.c.created_at).join(
            versions, versions.c.id == table.c.published_id).where(table.c.mode == "workflow")).all()
    found = [(row, node) for row in rows for node in _schedules(row.published_id)]
    if not found:
        return []
    now, due = clock.now(), []
    with db.write() as tx:
        fired = tx.execute(sa.select(settings.c.value).where(settings.c.name == _FIRED).with_for_update()).scalar()
        kept = {}
        for row, node in found:
            key = f"{row.id}:{node['id']}"
            last = kept[key] = (fired or {}).get(key, 0.0)
            try:
                if next_after(node["data"], max(last, row.created_at)) <= now:
                    kept[key] = now
                    due.append((row.id, node["id"]))
            except ValueError as error:
                log.warning("schedule %s: %s", key, error)
        if kept != fired:
            tx.execute(db.insert(settings).values(name=_FIRED, value=kept, updated_at=now).on_conflict_do_update(
                index_elements=["name"], set_={"value": kept, "updated_at": now}))
    return due


def fired() -> dict[str, float]:
    with db.read() as tx:
        return tx.execute(sa.select(settings.c.value).where(settings.c.name == _FIRED)).scalar() or {}


def _schedules(version_id: str) -> list[dict[str, Any]]:
    if version_id not in _known:
        with db.read() as tx:
            content = tx.execute(sa.select(versions.c.content).where(versions.c.id == version_id)).scalar() or {}
        if len(_known) > 1000:
            _known.clear()
        _known[version_id] = [node for node in nodes_of(content.get("graph") or {})
                              if node["data"]["type"] == "trigger-schedule"]
    return _known[version_id]


def next_after(data: dict[str, Any], after: float) -> float:
    """Return when a schedule fires first after a moment (Unix times); raise ValueError for one that cannot be read."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from croniter import croniter

    try:
        zone = ZoneInfo(str(data.get("timezone") or "UTC"))
    except (ValueError, OSError, KeyError):
        raise ValueError(f"unknown time zone {data.get('timezone')}") from None
    try:
        return croniter(cron(data), datetime.fromtimestamp(after, zone)).get_next(datetime).timestamp()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"schedule cannot be read: {error}") from None


def cron(data: dict[str, Any]) -> str:
    """Return a schedule node's times as a cron expression; raise ValueError if they cannot be read."""
    if data.get("mode") == "cron":
        text = str(data.get("cron_expression") or "")
        if len(text.split()) != 5:
            raise ValueError(f"a cron expression has five fields: {text!r}")
        return text
    visual = data.get("visual_config") or {}
    if data.get("frequency") == "hourly":
        return f"{int(visual.get('on_minute') or 0)} * * * *"
    clock_time, _, half = str(visual.get("time") or "12:00 AM").strip().partition(" ")
    hour, _, minute = clock_time.partition(":")
    hour_of_day = int(hour) % 12 + (12 if half.strip().upper() == "PM" else 0) if half else int(hour)
    when = f"{int(minute or 0)} {hour_of_day}"
    match data.get("frequency"):
        case "weekly":
            days = [str(_WEEKDAYS.index(day)) for day in visual.get("weekdays") or ("sun",)]
            return f"{when} * * {','.join(days)}"
        case "monthly":
            days = ["L" if day == "last" else str(int(day)) for day in visual.get("monthly_days") or (1,)]
            return f"{when} {','.join(days)} * *"
        case _:
            return f"{when} * * *"


def nodes_of(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a graph's trigger nodes."""
    return [node for node in graph.get("nodes") or () if isinstance(node.get("data"), dict)
            and node["data"].get("type") in ("trigger-schedule", "trigger-webhook")]
