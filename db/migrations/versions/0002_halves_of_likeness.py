"""Photos are found by halves of their perceptual hash: far fewer share one than share a quarter of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for half, first, second in (("upper", 0, 1), ("lower", 2, 3)):
        number = sa.text(f"(CAST(likeness_{first} AS BIGINT) * 65536 + likeness_{second})")
        op.create_index(f"ix_photo_likeness_{half}", "photo", [number])
