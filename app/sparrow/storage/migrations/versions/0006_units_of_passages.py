"""A unit says its passage's heading and whether it is enabled: to look up hundreds of passages for them cost a question
a millisecond."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if any(column["name"] == "enabled" for column in sa.inspect(op.get_bind()).get_columns("knowledge_units")):
        return
    op.add_column("knowledge_units", sa.Column("heading", sa.Text, nullable=True))
    op.add_column("knowledge_units", sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()))
    op.execute("UPDATE knowledge_units SET heading = (SELECT heading FROM segments WHERE id = segment_id)")
    op.execute("UPDATE knowledge_units SET enabled = false "
               "WHERE segment_id IN (SELECT id FROM segments WHERE NOT enabled)")
