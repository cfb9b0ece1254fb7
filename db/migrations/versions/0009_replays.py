"""Who had which return scored again, and why: a table to which rows are only ever added."""

import sqlalchemy as sa
from alembic import op

from db.dialect import RowId, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replay",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("set_id", RowId, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("photos", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["photo_set.id"], name=op.f("fk_replay_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay")),
    )
    op.create_index(op.f("ix_replay_set_id"), "replay", ["set_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER replay_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON replay "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER replay_refuses_{change} BEFORE {change.upper()} ON replay "
            "BEGIN SELECT RAISE(ABORT, 'replay is insert-only'); END"
        )
