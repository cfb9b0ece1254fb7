"""A photo that is gone keeps what was known of it and counts on; a review outlives it.

Returns whose verdict was made without photos that had gone are judged again, with them.
"""

import sqlalchemy as sa
from alembic import op

from db.dialect import RowId, database_now

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PHOTO = sa.table(
    "photo",
    *(sa.column(name) for name in ("set_id", "content_sha256", "status", "reason", "quality", "superseded")),
    *(sa.column(name) for name in ("gone_reason", "kept_model_id")),
)
_SET = sa.table(
    "photo_set",
    *(sa.column(name) for name in ("id", "generation", "content_generation", "state", "closed_by")),
    *(sa.column(name) for name in ("check_at", "last_change_at")),
)
_PREDICTION = sa.table("prediction", *(sa.column(name) for name in ("content_sha256", "model_id", "created_at")))
_MODEL = sa.table("model_version", sa.column("id"), sa.column("state"))


def upgrade() -> None:
    gone_reason = sa.Enum("vanished", name="gone_reason", native_enum=False, length=16)
    op.add_column("photo", sa.Column("gone_reason", gone_reason, nullable=True))
    op.add_column("photo", sa.Column("kept_model_id", RowId, nullable=True))
    op.add_column("photo_set", sa.Column("content_generation", sa.Integer(), server_default="1", nullable=False))
    op.execute(sa.update(_SET).values(content_generation=_SET.c.generation))
    _restore_photos()
    _judge_again()


def _restore_photos() -> None:
    """Say of the photos that are gone what was known of them before, and which prediction of them counts."""
    kept = (
        sa.select(_PREDICTION.c.model_id)
        .join(_MODEL, _MODEL.c.id == _PREDICTION.c.model_id)
        .where(_PREDICTION.c.content_sha256 == _PHOTO.c.content_sha256)
        .order_by((_MODEL.c.state == "active").desc(), _PREDICTION.c.created_at.desc(), _MODEL.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    was = sa.case(
        (_PHOTO.c.reason.is_not(None), sa.case((_PHOTO.c.quality.is_not(None), "unusable"), else_="quarantined")),
        (sa.and_(_PHOTO.c.content_sha256.is_not(None), kept.is_not(None)), "ok"),
        else_="seen",
    )
    is_gone = _PHOTO.c.status == "gone"
    op.execute(sa.update(_PHOTO).where(is_gone).values(gone_reason="vanished", kept_model_id=kept, status=was))


def _judge_again() -> None:
    """Open the next generation of the sets that such photos belong to; the next tick opens their work."""
    of_set = sa.exists().where(_PHOTO.c.set_id == _SET.c.id, ~_PHOTO.c.superseded)
    has_gone = of_set.where(_PHOTO.c.gone_reason.is_not(None))
    is_empty = ~of_set.where(_PHOTO.c.gone_reason.is_(None))
    op.execute(sa.update(_SET).where(has_gone).values(generation=_SET.c.generation + 1, last_change_at=database_now()))
    op.execute(
        sa.update(_SET)
        .where(has_gone, is_empty, _SET.c.state == "open")
        .values(state="complete", closed_by="deadline", check_at=sa.null())
    )
