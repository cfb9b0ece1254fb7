"""Figures of the nightly report that no view holds as they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, cast, column, func, select, table
from sqlalchemy.orm import Session

from db.dialect import UtcDateTime
from db.session import snapshot

BINS = 10

_standing = table(
    "standing",
    *(column(name) for name in ("set_key", "bucket", "fleet", "vehicle_ref", "status", "last_error", "model_id")),
    *(column(name) for name in ("score", "model_label")),
    column("returned_at", UtcDateTime()),
)
_quarantine = table("quarantine", column("bucket"), column("reason"))
_queue = table("review_queue", column("set_id"), column("fleet"))


@dataclass(frozen=True, slots=True)
class Failure:
    """A return that was given up, and its last error."""

    set_key: str
    last_error: str | None


@dataclass(frozen=True, slots=True)
class ScoreShape:
    """The distribution of a model's scores: sets by tenth of the score, and how many were called damaged."""

    tenths: tuple[int, ...]
    damaged: int

    @property
    def sets(self) -> int:
        """Verdicts counted."""
        return sum(self.tenths)


@snapshot
def failures(session: Session, bucket: str, limit: int) -> list[Failure]:
    """Returns that were given up after too many attempts."""
    view = _standing.c
    query = select(view.set_key, view.last_error).where(view.bucket == bucket, view.status == "failed")
    return [Failure(**row._mapping) for row in session.execute(query.order_by(view.set_key).limit(limit))]


@snapshot
def refused_photos(session: Session, bucket: str) -> dict[str, int]:
    """Current photos that were not scored, by reason."""
    view = _quarantine.c
    query = select(view.reason, func.count().label("photos")).where(view.bucket == bucket)
    rows = session.execute(query.group_by(view.reason).order_by(view.reason))
    return {row.reason or "unknown": row.photos for row in rows}


@snapshot
def queue_length(session: Session) -> int:
    """How many returns wait for a person."""
    return session.scalar(select(func.count()).select_from(_queue)) or 0


@snapshot
def score_shape(session: Session, bucket: str, since: datetime, until: datetime) -> ScoreShape:
    """The active model's scores of returns that came back from `since` on and before `until`."""
    view = _standing.c
    tenth: ColumnElement[Any] = func.floor(cast(view.score, Float) * BINS)
    chosen = (view.bucket == bucket, view.returned_at >= since, view.returned_at < until, view.score.is_not(None))
    rows = session.execute(
        select(tenth, view.model_label, func.count()).where(*chosen).group_by(tenth, view.model_label)
    )
    tenths, damaged = [0] * BINS, 0
    for place, label, count in rows:
        tenths[min(int(place), BINS - 1)] += count
        damaged += count if label == "damaged" else 0
    return ScoreShape(tuple(tenths), damaged)
