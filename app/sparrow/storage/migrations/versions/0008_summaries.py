"""Summaries of passages: their text, what is to be written, how far a document is, and which units they are."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "kept_summaries",
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "hash", name="pk_kept_summaries"),
        if_not_exists=True,
    )
    inspector = sa.inspect(op.get_bind())
    for table, columns in (
            ("documents", (
                sa.Column("summary_state", sa.String(8), nullable=False, server_default=""),
                sa.Column("summary_error", sa.Text, nullable=True),
                sa.Column("summary_done", sa.Integer, nullable=False, server_default="0"),
                sa.Column("summary_total", sa.Integer, nullable=False, server_default="0"))),
            ("segments", (
                sa.Column("summary", sa.Text, nullable=True),
                sa.Column("summary_due", sa.Boolean, nullable=False, server_default=sa.false()))),
            ("knowledge_units", (sa.Column("summary", sa.Boolean, nullable=False, server_default=sa.false()),))):
        known = {column["name"] for column in inspector.get_columns(table)}
        for column in columns:
            if column.name not in known:
                op.add_column(table, column)
