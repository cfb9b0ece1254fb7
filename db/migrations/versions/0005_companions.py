"""Companions of photos are counted as photos in no view; the tables stay as they are."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: an upgrade makes the views anew."""
