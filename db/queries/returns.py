"""Every return with its status, with a verdict or without, in pages; and how many there are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, column, func, select, table
from sqlalchemy.orm import Session

from core.domain import PhotoStatus
from db.dialect import Json, UtcDateTime
from db.history import Prediction
from db.models import Photo, PhotoSet, Vehicle
from db.photo_rows import prediction_that_counts
from db.queries.set_photos import is_current
from db.session import Sessions, StreamedRows, snapshot

_standing = table(
    "standing",
    *(column(name) for name in ("set_id", "bucket", "set_key", "fleet", "vehicle_ref", "return_ref", "status")),
    *(column(name) for name in ("closed_by", "note", "last_error", "score", "decided_by")),
    column("reasons", Json),
    column("judged_at", UtcDateTime()),
)


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """A photo set; `status` is a label or `open`, `pending`, `failed`, `empty` (see the view return_status).

    `closed_by` is the word of the rule that closed it; `note` and `last_error` are for a person. `score`, `reasons` and
    `judged_at` are the active model's verdict's, None without one.
    """

    set_id: int
    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    status: str
    closed_by: str | None
    note: str | None
    last_error: str | None
    score: float | None
    reasons: dict[str, Any] | None
    decided_by: str | None
    judged_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReturnChoice:
    """Which returns: all of a bucket, or those of one fleet or vehicle."""

    bucket: str
    fleet: str | None = None
    vehicle: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnCounts:
    """Returns by `status`, their current photos by status, and those of them that can be shown as a picture.

    `heat_maps` tells whether any photo has one.
    """

    returns: dict[str, int]
    photos: dict[PhotoStatus, int]
    pictures: int
    heat_maps: bool


def ordered_returns(sessions: Sessions, choice: ReturnChoice, statuses: Sequence[str]) -> Iterator[int]:
    """The ids of the chosen returns: in the order of `statuses`, then by score from high to low, then by set key."""
    view = _standing.c
    place = case({status: place for place, status in enumerate(statuses)}, value=view.status)
    query = (
        select(view.set_id).where(*_chosen(choice)).order_by(place, func.coalesce(view.score, 0).desc(), view.set_key)
    )
    return iter(StreamedRows(sessions, query, lambda row: int(row.set_id)))


@snapshot
def returns_by_id(session: Session, set_ids: Iterable[int]) -> dict[int, ReturnRow]:
    """The returns of these ids that still exist."""
    view = _standing.c
    names = ("set_id", "set_key", "fleet", "return_ref", "status", "closed_by", "note", "last_error", "score")
    query = select(
        *(view[name] for name in (*names, "reasons", "decided_by", "judged_at")), view.vehicle_ref.label("vehicle")
    )
    rows = session.execute(query.where(view.set_id.in_(list(set_ids))))
    return {row.set_id: ReturnRow(**row._mapping) for row in rows}


@snapshot
def return_counts(session: Session, choice: ReturnChoice, model_id: int) -> ReturnCounts:
    """What there is to report, counted in the database; predictions are those of the model version `model_id`."""
    view = _standing.c
    by_status = select(view.status, func.count().label("returns")).where(*_chosen(choice)).group_by(view.status)
    gone = Photo.gone_reason.is_not(None)
    photos = (
        select(Photo.status, gone.label("gone"), func.count().label("photos"), func.count(Prediction.heatmap_rows))
        .join(PhotoSet, PhotoSet.id == Photo.set_id)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .outerjoin(Prediction, prediction_that_counts(model_id))
        .where(is_current(), PhotoSet.bucket == choice.bucket)
        .where(*_equal((Vehicle.fleet, choice.fleet), (Vehicle.vehicle_ref, choice.vehicle)))
        .group_by(Photo.status, gone)
    )
    counted: dict[PhotoStatus, int] = {}
    pictures, heat_maps = 0, False
    for status, is_gone, count, maps in session.execute(photos):
        counted[status] = counted.get(status, 0) + count
        pictures += count if status in (PhotoStatus.OK, PhotoStatus.UNUSABLE) and not is_gone else 0
        heat_maps = heat_maps or maps > 0
    returns = {row.status: row.returns for row in session.execute(by_status)}
    return ReturnCounts(returns, counted, pictures, heat_maps)


def _chosen(choice: ReturnChoice) -> list[ColumnElement[bool]]:
    view = _standing.c
    return _equal((view.bucket, choice.bucket), (view.fleet, choice.fleet), (view.vehicle_ref, choice.vehicle))


def _equal(*pairs: tuple[Any, str | None]) -> list[ColumnElement[bool]]:
    return [found == value for found, value in pairs if value is not None]
