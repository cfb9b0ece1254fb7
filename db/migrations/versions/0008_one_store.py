"""The database names the one store whose photos it keeps; the first process that is started with a store writes it."""

import sqlalchemy as sa
from alembic import op

from db.dialect import KeyText, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "photo_store",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", KeyText, nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_photo_store_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_store")),
    )
