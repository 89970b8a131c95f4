"""Which bases an app uses is kept as rows: those of apps made before are marked as missing.

`sparrow migrate` adds them next (sparrow.apps.knowledge_use.record_all): what an app uses is no matter of the tables.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    moment = "extract(epoch FROM now())" if op.get_bind().dialect.name == "postgresql" else "unixepoch('subsec')"
    op.execute(
        f"INSERT INTO settings (name, value, updated_at) SELECT 'app_datasets', '\"missing\"', {moment} "
        "WHERE EXISTS (SELECT 1 FROM apps) ON CONFLICT (name) DO NOTHING")
