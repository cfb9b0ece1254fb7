"""Returns whose last attempt failed and that are tried again later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain import ModelState, WorkState
from db.models import ModelVersion, PhotoSet, Work
from db.session import snapshot


@dataclass(frozen=True, slots=True)
class WaitingReturn:
    """A return that the active model could not judge at its last attempt: why, and from when on it is tried again."""

    set_key: str
    problem: str
    not_before: datetime


@snapshot
def waiting_returns(session: Session, bucket: str, limit: int) -> Sequence[WaitingReturn]:
    """At most `limit` of a store's, those that wait longest first."""
    rows = session.execute(
        select(PhotoSet.set_key, Work.last_error.label("problem"), Work.not_before)
        .join(Work, (Work.set_id == PhotoSet.id) & (Work.generation == PhotoSet.generation))
        .join(ModelVersion, (ModelVersion.id == Work.model_id) & (ModelVersion.state == ModelState.ACTIVE))
        .where(PhotoSet.bucket == bucket, Work.state == WorkState.PENDING, Work.last_error.is_not(None))
        .order_by(Work.created_at, PhotoSet.id)
        .limit(limit)
    )
    return [WaitingReturn(**row._mapping) for row in rows]
