"""A scan says that it goes on, so that one that was lost is known after minutes, however long scans take."""

import sqlalchemy as sa
from alembic import op

from db.dialect import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scan_run", sa.Column("alive_at", UtcDateTime(), nullable=True))
