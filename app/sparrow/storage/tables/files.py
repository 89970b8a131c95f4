"""Files that were uploaded or made by a run; their bytes are in the files folder of the data partition."""

from sqlalchemy import BigInteger, Column, Float, String, Table, Text

from .metadata import id_column, metadata

# created_by: the end user's name for the service API, the crawl that found a page, "" for the admin.
files = Table(
    "files", metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("extension", String(32), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("app_id", String(36), nullable=True, index=True),
    Column("created_by", String(255), nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
)
