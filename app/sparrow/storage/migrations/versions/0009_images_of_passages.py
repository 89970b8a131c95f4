"""An index of the passages that images are bound to: whether one is still used is asked with every deletion."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_segments_attachments", "segments", ["document_id"], if_not_exists=True,
                    sqlite_where=sa.text("attachments IS NOT NULL"))
