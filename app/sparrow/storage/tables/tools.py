"""Tools: what the admin has added, credentials of the built-in ones, and apps offered to MCP clients."""

from sqlalchemy import Boolean, Column, String, Table, Text, UniqueConstraint

from ..types import Json
from .metadata import id_column, metadata, reference, times

# kind: api (an OpenAPI document), mcp (a server), workflow (an app of this box, in `app_id`). `identifier` is what
# app files name it by: the provider's name, the server's identifier, the tool's name. `secret` is encrypted JSON.
tool_providers = Table(
    "tool_providers", metadata,
    id_column(),
    Column("kind", String(16), nullable=False),
    Column("identifier", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    reference("app_id", nullable=True, index=True),
    Column("config", Json, nullable=False),
    Column("secret", Text, nullable=True),
    *times(),
    UniqueConstraint("kind", "identifier"),
)

# `secret` is encrypted JSON of the provider's fields; `shown` is what the console shows of them.
tool_credentials = Table(
    "tool_credentials", metadata,
    id_column(),
    Column("provider", String(64), nullable=False, index=True),
    Column("name", String(120), nullable=False),
    Column("secret", Text, nullable=False),
    Column("shown", Json, nullable=False),
    Column("is_default", Boolean, nullable=False),
    *times(),
    UniqueConstraint("provider", "name"),
)

# An app as an MCP server. The code is part of its address: found by its hash, shown to the admin only.
mcp_servers = Table(
    "mcp_servers", metadata,
    reference("app_id", primary_key=True),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    *times(),
)
