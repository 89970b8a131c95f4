"""Web sites that are read page by page."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "crawls",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("dataset_id", sa.String(36), nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=True),
        sa.Column("robots", sa.Text, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crawls"),
        if_not_exists=True,
    )
    op.create_index("ix_crawls_dataset_id", "crawls", ["dataset_id"], if_not_exists=True)
    op.create_table(
        "crawl_pages",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("crawl_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("title", sa.Text, nullable=False, server_default=""),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("size", sa.Integer, nullable=False, server_default="0"),
        sa.Column("hash", sa.String(64), nullable=True),
        sa.Column("file_id", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_crawl_pages"),
        if_not_exists=True,
    )
    op.create_index("ix_crawl_pages_crawl_id_position", "crawl_pages", ["crawl_id", "position"], if_not_exists=True)
    op.create_index("ix_crawl_pages_file_id", "crawl_pages", ["file_id"], if_not_exists=True)
