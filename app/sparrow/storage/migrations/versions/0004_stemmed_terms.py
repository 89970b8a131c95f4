"""PostgreSQL's keyword index holds stems: rows made before are marked to be made anew.

`sparrow migrate` does that next (sparrow.knowledge.keyword.stem_rows): stems are no matter of the tables.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "INSERT INTO settings (name, value, updated_at) SELECT 'keyword_rows', '\"unstemmed\"', "
            "extract(epoch FROM now()) WHERE EXISTS (SELECT 1 FROM knowledge_fts) ON CONFLICT (name) DO NOTHING")
