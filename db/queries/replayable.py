"""What can be scored again: work that was given up, and photos that were refused. Reads those rows and no others."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, select, text
from sqlalchemy.orm import Session

from core.domain import ModelState, WorkState
from core.errors import Refusal
from db.models import REFUSED, ModelVersion, Photo, PhotoSet, Vehicle, Work
from db.session import snapshot


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """What is wanted: each part that is given must match.

    `since`: of returns that changed then or later. `photos`: refused photos too, and of those, where `reason` is given,
    the photos that were refused for it; no work that was given up then.
    """

    bucket: str
    set_keys: tuple[str, ...] = ()
    object_keys: tuple[str, ...] = ()
    fleet: str | None = None
    since: datetime | None = None
    photos: bool = False
    reason: str | None = None


_Set = tuple[int, str, int]  # id, key, generation


@dataclass(frozen=True, slots=True)
class Replayable:
    """A return with something to score again: by which models its work was given up, and its refused photos."""

    set_id: int
    set_key: str
    generation: int
    given_up_by: tuple[int, ...]
    refused: tuple[str, ...]


@snapshot
def replayable(session: Session, wanted: ReplayFilter) -> list[Replayable]:
    """The returns with what can be scored again, in the order of their keys."""
    models: dict[_Set, list[int]] = defaultdict(list)
    photos: dict[_Set, list[str]] = defaultdict(list)
    if wanted.reason is None and not wanted.object_keys:
        for row in session.execute(_given_up(wanted)):
            models[row.id, row.set_key, row.generation].append(row.model_id)
    if wanted.photos:
        for found in session.execute(_refused(wanted)):
            photos[found.id, found.set_key, found.generation].append(found.object_key)
    return [
        Replayable(set_id, set_key, generation, tuple(models[key]), tuple(photos[key]))
        for key in sorted(models.keys() | photos.keys(), key=lambda key: key[1])
        for set_id, set_key, generation in [key]
    ]


def _given_up(wanted: ReplayFilter) -> Select[tuple[int, str, int, int]]:
    return (
        select(PhotoSet.id, PhotoSet.set_key, PhotoSet.generation, Work.model_id)
        .join(Work, and_(Work.set_id == PhotoSet.id, Work.generation == PhotoSet.generation))
        .join(ModelVersion, ModelVersion.id == Work.model_id)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .where(Work.state == WorkState.DEAD, ModelVersion.state != ModelState.RETIRED, *_in_sets(wanted))
        .order_by(Work.model_id)
    )


def _refused(wanted: ReplayFilter) -> Select[tuple[int, str, int, str]]:
    conditions: list[ColumnElement[bool]] = [
        Photo.set_id > 0,  # always so; by it SQLite searches the index of refused photos, and does not read all photos
        Photo.gone_reason.is_(None),
        Photo.reason != Refusal.COMPANION.value if wanted.reason is None else Photo.reason == wanted.reason,
    ]
    if wanted.object_keys:
        conditions.append(Photo.object_key.in_(wanted.object_keys))
    return (
        select(PhotoSet.id, PhotoSet.set_key, PhotoSet.generation, Photo.object_key)
        .join(Photo, Photo.set_id == PhotoSet.id)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .where(text(REFUSED), *conditions, *_in_sets(wanted))
        .order_by(Photo.object_key)
    )


def _in_sets(wanted: ReplayFilter) -> list[ColumnElement[bool]]:
    conditions = [PhotoSet.bucket == wanted.bucket]
    if wanted.set_keys:
        conditions.append(PhotoSet.set_key.in_(wanted.set_keys))
    if wanted.fleet is not None:
        conditions.append(Vehicle.fleet == wanted.fleet)
    if wanted.since is not None:
        conditions.append(PhotoSet.last_change_at >= wanted.since)
    return conditions
