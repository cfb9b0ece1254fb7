"""A review tells what its reviewer saw by the photos too: another database counts generations anew."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review", sa.Column("seen_photos_sha256", sa.String(64), nullable=True))
