"""Photos are no longer found by quarters of their perceptual hash: four indexes that every photo paid for."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # PostgreSQL locks `photo` for this, but only for the moment that it takes to forget an index, not to read one:
    # CONCURRENTLY would be gentler still, and could not be undone with the rest of an upgrade that fails.
    for band in range(4):
        op.drop_index(f"ix_photo_likeness_{band}", "photo")
