"""Apps: what they are, their versions, their keys, and files that wait for a confirmed import."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from ..types import Json
from .metadata import id_column, metadata, reference, times

# source: the keys of the imported file that Sparrow does not interpret, for a faithful export.
# published_id: the version that clients run; null until the first publication.
apps = Table(
    "apps", metadata,
    id_column(),
    Column("name", String(255), nullable=False),
    Column("mode", String(32), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("icon_type", String(16), nullable=False, server_default="emoji"),
    Column("icon", Text, nullable=False, server_default=""),
    Column("icon_background", String(255), nullable=False, server_default="#FFFFFF"),
    Column("use_icon_as_answer_icon", Boolean, nullable=False, default=False),
    Column("enable_site", Boolean, nullable=False, default=True),
    Column("enable_api", Boolean, nullable=False, default=True),
    Column("source", Json, nullable=True),
    Column("site", Json, nullable=True),
    Column("annotation_reply", Json, nullable=True),
    reference("published_id", nullable=True),
    *times(),
    Index("ix_apps_updated", "updated_at"),
)

# number 0 is the draft of a workflow or chatflow; publishing copies it to the next number and never changes it.
# content is the file's `workflow` or `model_config`, with secrets blanked; secrets maps a variable's name to its
# encrypted value.
versions = Table(
    "app_versions", metadata,
    id_column(),
    reference("app_id"),
    Column("number", Integer, nullable=False),
    Column("name", String(255), nullable=False, server_default=""),
    Column("notes", Text, nullable=False, server_default=""),
    Column("content", Json, nullable=False),
    Column("secrets", Json, nullable=True),
    Column("hash", String(64), nullable=False),
    *times(),
    Index("uq_app_versions_number", "app_id", "number", unique=True),
)

# Only the SHA-256 of a key is kept; `masked` is what the console shows of it.
app_keys = Table(
    "app_keys", metadata,
    id_column(),
    reference("app_id", index=True),
    Column("name", String(255), nullable=False, server_default=""),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("masked", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float, nullable=True),
)

# Files of a newer format, kept until the user confirms.
app_imports = Table(
    "app_imports", metadata,
    id_column(),
    Column("content", Text, nullable=False),
    Column("options", Json, nullable=True),
    Column("expires_at", Float, nullable=False),
)

# Tags group apps in the studio.
app_tags = Table(
    "app_tags", metadata,
    reference("app_id", primary_key=True),
    Column("name", String(64), primary_key=True),
)

# Questions with fixed answers. `vector` is float32, made when annotation reply is switched on.
annotations = Table(
    "app_annotations", metadata,
    id_column(),
    reference("app_id", index=True),
    reference("message_id", nullable=True),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("vector", Text, nullable=True),
    Column("hit_count", Integer, nullable=False, default=0),
    *times(),
)

# An admin's own HTTP services that apps may ask (moderation); api_key is encrypted.
extensions = Table(
    "api_extensions", metadata,
    id_column(),
    Column("name", String(255), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("api_key", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
