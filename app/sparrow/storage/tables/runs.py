"""Runs of workflows and chatflows: each run, each node of it, and the forms that runs wait for."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from ..types import Json
from .metadata import id_column, metadata, reference

# status: running, succeeded, failed, stopped, partial-succeeded, paused. state: what a paused run resumes from.
# triggered_from: app-run, debugging, schedule, webhook. owner: the process that runs it (settled when it is gone).
workflow_runs = Table(
    "workflow_runs", metadata,
    id_column(),
    reference("app_id"),
    reference("version_id"),
    reference("message_id", nullable=True),
    reference("end_user_id", nullable=True),
    Column("triggered_from", String(16), nullable=False),
    Column("created_from", String(32), nullable=False),
    Column("status", String(20), nullable=False),
    Column("inputs", Json, nullable=False),
    Column("outputs", Json, nullable=True),
    Column("error", Text, nullable=True),
    Column("elapsed_time", Float, nullable=False, default=0.0),
    Column("total_tokens", Integer, nullable=False, default=0),
    Column("total_steps", Integer, nullable=False, default=0),
    Column("exceptions_count", Integer, nullable=False, default=0),
    Column("state", Text, nullable=True),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float, nullable=True),
    Index("ix_workflow_runs_app", "app_id", "created_at"),
    Index("ix_workflow_runs_status", "status"),
)

# One row a node execution; position is the order in which they ended (or failed, for a retried attempt).
node_executions = Table(
    "node_executions", metadata,
    Column("run_id", String(36), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("execution_id", String(64), nullable=False),
    Column("node_id", String(128), nullable=False),
    Column("node_type", String(64), nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("status", String(20), nullable=False),
    Column("inputs", Json, nullable=True),
    Column("process_data", Json, nullable=True),
    Column("outputs", Json, nullable=True),
    Column("error", Text, nullable=True),
    Column("elapsed_time", Float, nullable=False, default=0.0),
    Column("metadata", Json, nullable=True),
    Column("container_id", String(128), nullable=True),
    Column("container_index", Integer, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float, nullable=True),
)

# A form of a human-input node. token opens it without a login.
forms = Table(
    "human_forms", metadata,
    id_column(),
    reference("app_id"),
    reference("run_id", index=True),
    Column("node_id", String(128), nullable=False),
    Column("token", String(64), nullable=False, unique=True),
    Column("definition", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("answer", Json, nullable=True),
    Column("expires_at", BigInteger, nullable=True),
    Column("created_at", Float, nullable=False),
)
