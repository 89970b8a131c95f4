"""Tools that the admin adds, their credentials, and apps as MCP servers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "tool_providers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("identifier", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=True),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tool_providers"),
        sa.UniqueConstraint("kind", "identifier", name="uq_tool_providers_kind_identifier"),
        if_not_exists=True,
    )
    op.create_index("ix_tool_providers_app_id", "tool_providers", ["app_id"], if_not_exists=True)
    op.create_table(
        "tool_credentials",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tool_credentials"),
        sa.UniqueConstraint("provider", "name", name="uq_tool_credentials_provider_name"),
        if_not_exists=True,
    )
    op.create_index("ix_tool_credentials_provider", "tool_credentials", ["provider"], if_not_exists=True)
    op.create_table(
        "mcp_servers",
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("app_id", name="pk_mcp_servers"),
        sa.UniqueConstraint("code_hash", name="uq_mcp_servers_code_hash"),
        if_not_exists=True,
    )
