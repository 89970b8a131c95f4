"""The admin, the sessions and the settings of the box."""

from sqlalchemy import Column, Float, String, Table, Text

from ..types import Json
from .metadata import id_column, metadata, times

# One row by design (no multi-tenancy): the admin.
accounts = Table(
    "accounts", metadata,
    id_column(),
    Column("name", String(64), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("language", String(16), nullable=False, server_default="zh-Hans"),
    *times(),
)

# `id` is the SHA-256 of the cookie's value: a stolen database opens no session.
sessions = Table(
    "sessions", metadata,
    Column("id", String(64), primary_key=True),
    Column("csrf_token", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

# Settings that the admin changes at run time, by name.
settings = Table(
    "settings", metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=True),
    Column("updated_at", Float, nullable=False),
)
