"""Tool providers and credentials as stored: found by any of the names that an app file may use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row

from sparrow.ids import is_uuid
from sparrow.storage import db, secrets
from sparrow.storage.tables.tools import tool_credentials, tool_providers
from sparrow.tools import openapi


def find(kind: str, *names: str) -> Row | None:
    """Return the provider of a kind by its id, or by one of the names an app file gives."""
    with db.read() as tx:
        for name in names:
            if not name:
                continue
            where = tool_providers.c.id == name if is_uuid(name) else tool_providers.c.identifier == name
            row = tx.execute(sa.select(tool_providers).where(tool_providers.c.kind == kind, where)).first() \
                or tx.execute(sa.select(tool_providers).where(
                    tool_providers.c.kind == kind, tool_providers.c.name == name)).first()
            if row is not None:
                return row
    return None


def listed(kind: str | None = None) -> list[Row]:
    """Return all providers, or those of a kind, oldest first."""
    asked = sa.select(tool_providers).order_by(tool_providers.c.created_at, tool_providers.c.id)
    if kind:
        asked = asked.where(tool_providers.c.kind == kind)
    with db.read() as tx:
        return tx.execute(asked).all()


def secret(row: Row) -> dict[str, Any]:
    """Return a row's secret fields, opened."""
    return msgspec.json.decode(secrets.decrypt(row.secret)) if row.secret else {}


def sealed(fields: dict[str, Any]) -> str:
    """Return secret fields as they are stored."""
    return secrets.encrypt(msgspec.json.encode(fields).decode())


def credentials(provider: str, credential_id: str | None) -> dict[str, Any]:
    """Return the fields of a built-in provider's credential: the one named, else the default one, else none.

    App files do not carry credentials: an id of another box stands for the default one.
    """
    with db.read() as tx:
        rows = tx.execute(sa.select(tool_credentials).where(tool_credentials.c.provider == provider).order_by(
            tool_credentials.c.is_default.desc(), tool_credentials.c.created_at)).all()
    if not rows:
        return {}
    return secret(next((row for row in rows if row.id == credential_id), rows[0]))


def document(row: Row) -> openapi.Document:
    """Return a stored OpenAPI document, read once a version."""
    return _document(row.id, row.updated_at, row.config["schema"], row.config.get("base_url") or "",
                     row.config.get("source") or "")


@lru_cache(maxsize=32)
def _document(row_id: str, version: float, text: str, base_url: str, source: str) -> openapi.Document:
    return openapi.parse(text, base_url=base_url, source=source)
