"""Background jobs. These rows are the truth; the queue in Redis carries only their ids."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from ..types import Json
from .metadata import id_column, metadata, times

# state: queued → running → succeeded | failed | cancelled; a running job of a dead worker goes back to queued.
# `key` names what the job works on: two live jobs with one key never run at once.
jobs = Table(
    "jobs", metadata,
    id_column(),
    Column("kind", String(64), nullable=False),
    Column("key", String(128), nullable=False, server_default=""),
    Column("payload", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("worker", String(64), nullable=True),
    Column("error", Text, nullable=True),
    Column("started_at", Float, nullable=True),
    Column("finished_at", Float, nullable=True),
    *times(),
    Index("ix_jobs_state", "state", "created_at"),
    Index("ix_jobs_key", "key"),
)
