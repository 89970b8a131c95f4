"""Rows of model providers, read in one go: they are few, change seldom and are wanted on every call."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sparrow import clock, ids
from sparrow.storage import db
from sparrow.storage.tables.account import settings
from sparrow.storage.tables.providers import provider_credentials, provider_models

DEFAULTS, VERSION = "default_models", "providers_version"


def version() -> str:
    """Return a text that changes whenever anything about providers does."""
    with db.read() as tx:
        return tx.execute(sa.select(settings.c.value).where(settings.c.name == VERSION)).scalar() or ""


def everything() -> dict[str, Any]:
    """Return {version, credentials, models, defaults}; secrets are still encrypted."""
    with db.read() as tx:
        credentials = tx.execute(sa.select(provider_credentials).order_by(
            provider_credentials.c.position, provider_credentials.c.created_at)).mappings().all()
        models = tx.execute(sa.select(provider_models).order_by(provider_models.c.created_at)).mappings().all()
        values = dict(tx.execute(sa.select(settings.c.name, settings.c.value).where(
            settings.c.name.in_([DEFAULTS, VERSION]))).all())
    return {"version": values.get(VERSION) or "", "credentials": [dict(row) for row in credentials],
            "models": [dict(row) for row in models], "defaults": values.get(DEFAULTS) or {}}


def value(name: str) -> Any:
    """Return a row of the settings; None if it was never set."""
    with db.read() as tx:
        return tx.execute(sa.select(settings.c.value).where(settings.c.name == name)).scalar()


def set_value(tx: Connection, name: str, value: Any) -> None:
    """Write a row of the settings."""
    fields = {"value": value, "updated_at": clock.now()}
    if not tx.execute(sa.update(settings).where(settings.c.name == name).values(fields)).rowcount:
        tx.execute(sa.insert(settings).values(name=name, **fields))


def changed(tx: Connection) -> None:
    """Note, in the transaction of a change, that the providers are not what they were."""
    set_value(tx, VERSION, ids.new_id())


def defaults(tx: Connection) -> dict[str, Any]:
    """Return the default models as stored."""
    return tx.execute(sa.select(settings.c.value).where(settings.c.name == DEFAULTS)).scalar() or {}
