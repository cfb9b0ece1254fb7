"""Work counts its messages, and what was never published is found first: the broker is filled bit by bit."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('pending', 'leased', 'dead')")


def upgrade() -> None:
    op.add_column("work", sa.Column("publications", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_work_due", "work")
    op.create_index(
        "ix_work_due",
        "work",
        ["queue", "model_id", "last_published", "created_at"],
        postgresql_where=_UNFINISHED,
        sqlite_where=_UNFINISHED,
    )
