"""Model providers: the ways into them, and the models the admin has added or changed."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text, UniqueConstraint

from ..types import Json
from .metadata import id_column, metadata, times

# `secret` is encrypted JSON {api_key, headers}; `key_masked` is what the console shows of it.
provider_credentials = Table(
    "provider_credentials", metadata,
    id_column(),
    Column("provider", String(64), nullable=False, index=True),
    Column("name", String(120), nullable=False),
    Column("base_url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("key_masked", String(64), nullable=False),
    Column("extra", Json, nullable=False),
    Column("position", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    *times(),
    UniqueConstraint("provider", "name"),
)

# `spec` is the JSON form of `sparrow.providers.types.ModelSpec`.
provider_models = Table(
    "provider_models", metadata,
    id_column(),
    Column("provider", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("model", String(255), nullable=False),
    Column("spec", Json, nullable=False),
    *times(),
    UniqueConstraint("provider", "type", "model"),
)
