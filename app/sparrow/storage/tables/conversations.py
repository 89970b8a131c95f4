"""Who talks to apps, and what was said."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from ..types import Json
from .metadata import id_column, metadata, reference, times

# session_id is the caller's own name for the user; type: service-api, browser, console.
end_users = Table(
    "end_users", metadata,
    id_column(),
    reference("app_id"),
    Column("type", String(32), nullable=False),
    Column("session_id", String(255), nullable=False),
    *times(),
    Index("uq_end_users_session", "app_id", "type", "session_id", unique=True),
)

# variables: [{id, name, value_type, value, description}] as the last run left them; null before the first.
conversations = Table(
    "conversations", metadata,
    id_column(),
    reference("app_id"),
    reference("end_user_id"),
    Column("created_from", String(32), nullable=False),
    Column("name", String(255), nullable=False, server_default=""),
    Column("inputs", Json, nullable=False),
    Column("introduction", Text, nullable=False, server_default=""),
    Column("status", String(16), nullable=False, server_default="normal"),
    Column("variables", Json, nullable=True),
    Column("message_count", Integer, nullable=False, default=0),
    Column("pinned", Boolean, nullable=False, default=False),
    *times(),
    Index("ix_conversations_user", "end_user_id", "updated_at"),
    Index("ix_conversations_app", "app_id", "updated_at"),
)

# status: running, normal, error, stopped, paused. owner: the process that answers it.
# details: {usage, retriever_resources, annotation_reply, thoughts}.
messages = Table(
    "messages", metadata,
    id_column(),
    reference("app_id"),
    reference("conversation_id", nullable=True),
    reference("end_user_id"),
    reference("version_id", nullable=True),
    reference("run_id", nullable=True),
    Column("created_from", String(32), nullable=False),
    Column("query", Text, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("files", Json, nullable=True),
    Column("answer", Text, nullable=False, server_default=""),
    Column("status", String(16), nullable=False),
    Column("error", Text, nullable=True),
    Column("details", Json, nullable=True),
    Column("prompt", Json, nullable=True),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("tokens", Integer, nullable=False, default=0),
    Column("latency", Float, nullable=False, default=0.0),
    *times(),
    Index("ix_messages_conversation", "conversation_id", "created_at"),
    Index("ix_messages_app", "app_id", "created_at"),
    Index("ix_messages_status", "status"),
)

# source: user (a client) or admin (the console); one of each for a message.
feedbacks = Table(
    "feedbacks", metadata,
    id_column(),
    reference("app_id"),
    reference("conversation_id", nullable=True),
    reference("message_id"),
    reference("end_user_id", nullable=True),
    Column("source", String(8), nullable=False),
    Column("rating", String(8), nullable=False),
    Column("content", Text, nullable=True),
    *times(),
    Index("uq_feedbacks_message", "message_id", "source", unique=True),
    Index("ix_feedbacks_app", "app_id", "created_at"),
)
