"""All sets of a bucket in the order of a listing, page by page: flat memory, and no transaction open in between."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.orm import Session

from core.domain import ClosedBy, Label, ModelIdentity, ModelState, SetRef, WorkState
from core.policy import Policy
from core.verdict import Decision, decide
from db.history import Verdict
from db.models import ModelVersion, Photo, PhotoSet, Vehicle, Work
from db.photo_rows import PhotoRow, photo_rows
from db.session import Sessions, snapshot

PAGE = 500  # sets read in one transaction


@dataclass(frozen=True, slots=True)
class SetRow:
    """A set as the database knows it; `photos` maps the keys of those in the store to their etags."""

    ref: SetRef
    generation: int
    closed_by: ClosedBy | None
    last_change_at: datetime
    photos: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict as stored, and what went into it besides the photos."""

    label: Label
    score: float | None
    reasons: dict[str, Any]
    input_sha256: str
    policy: Policy
    closed_by: ClosedBy
    missing: tuple[str, ...]
    model: ModelIdentity
    sampled: bool


@dataclass(frozen=True, slots=True)
class PlacedSet:
    """Where a set stands: its verdict by the active model, or since when one is pending, or given up (`dead`).

    None of the three means that nobody was asked for a verdict.
    """

    ref: SetRef
    set_id: int
    generation: int
    closed_by: ClosedBy | None
    missing: tuple[str, ...]
    pending_since: datetime | None
    dead: bool
    verdict: StoredVerdict | None
    photos: tuple[PhotoRow, ...]


def decide_again(photos: Sequence[PhotoRow], stored: StoredVerdict) -> Decision:
    """What the stored rows of a set decide: the same as the stored verdict, to the byte, or someone changed them."""
    evidence = [photo.evidence() for photo in photos]
    return decide(evidence, stored.policy, stored.closed_by, stored.missing, stored.model)


def set_rows(sessions: Sessions, bucket: str, prefix: str) -> Iterator[SetRow]:
    """Every set under `prefix`, ordered by set key as UTF-8 bytes."""
    after = None
    while page := _set_page(sessions, bucket, prefix, after):
        yield from page
        after = page[-1].ref.set_key


def placed_photos(sessions: Sessions, bucket: str, prefix: str) -> Iterator[PlacedSet]:
    """Every set under `prefix` with all that it takes to account for its photos, in the order of `set_rows`."""
    after = None
    while page := _placed_page(sessions, bucket, prefix, after):
        yield from page
        after = page[-1].ref.set_key


@snapshot
def _set_page(session: Session, bucket: str, prefix: str, after: str | None) -> list[SetRow]:
    sets = _sets(session, bucket, prefix, after)
    photos: dict[int, dict[str, str]] = defaultdict(dict)
    for set_id, key, etag in session.execute(select(Photo.set_id, Photo.object_key, Photo.etag).where(_live_in(sets))):
        photos[set_id][key] = etag
    return [SetRow(ref, row.generation, row.closed_by, row.last_change_at, photos[row.id]) for row, ref in sets]


@snapshot
def _placed_page(session: Session, bucket: str, prefix: str, after: str | None) -> list[PlacedSet]:
    sets = _sets(session, bucket, prefix, after)
    model = session.scalar(select(ModelVersion).where(ModelVersion.state == ModelState.ACTIVE))
    verdicts = _verdicts(session, sets, model) if model else {}
    works = _works(session, sets, model.id) if model else {}
    photos = photo_rows(session, [row.id for row, _ in sets], model.id if model else None)
    return [
        PlacedSet(
            ref=ref,
            set_id=row.id,
            generation=row.generation,
            closed_by=row.closed_by,
            missing=tuple(row.missing),
            pending_since=_pending_since(row, works.get(row.id)) if row.id not in verdicts else None,
            dead=row.id in works and works[row.id].state is WorkState.DEAD,
            verdict=verdicts.get(row.id),
            photos=photos[row.id],
        )
        for row, ref in sets
    ]


def _sets(session: Session, bucket: str, prefix: str, after: str | None) -> Sequence[tuple[PhotoSet, SetRef]]:
    later: ColumnElement[bool] = PhotoSet.set_key > after if after is not None else true()
    rows = session.execute(
        select(PhotoSet, Vehicle.fleet, Vehicle.vehicle_ref)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .where(PhotoSet.bucket == bucket, _under(prefix), later)
        .order_by(PhotoSet.set_key)
        .limit(PAGE)
    )
    return [(row, SetRef(fleet, vehicle, row.return_ref, row.set_key)) for row, fleet, vehicle in rows]


def _under(prefix: str) -> ColumnElement[bool]:
    """A range and no LIKE: SQLite's ignores case."""
    if not prefix:
        return true()
    return and_(PhotoSet.set_key >= prefix, PhotoSet.set_key < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def _live_in(sets: Sequence[tuple[PhotoSet, SetRef]]) -> ColumnElement[bool]:
    return and_(Photo.set_id.in_([row.id for row, _ in sets]), ~Photo.superseded, Photo.gone_reason.is_(None))


def _verdicts(
    session: Session, sets: Sequence[tuple[PhotoSet, SetRef]], model: ModelVersion
) -> dict[int, StoredVerdict]:
    policy = Policy.model_validate(model.policy)
    identity = ModelIdentity(model.name, model.weights_sha256, model.preprocess_sha256)
    rows = session.execute(
        select(Verdict, PhotoSet.missing)
        .join(PhotoSet, and_(PhotoSet.id == Verdict.set_id, PhotoSet.generation == Verdict.generation))
        .where(Verdict.set_id.in_([row.id for row, _ in sets]), Verdict.model_id == model.id)
    )
    return {
        row.set_id: StoredVerdict(
            label=row.label,
            score=row.score,
            reasons=row.reasons,
            input_sha256=row.input_sha256,
            policy=policy,
            closed_by=row.closed_by,
            missing=tuple(missing),
            model=identity,
            sampled=row.sampled,
        )
        for row, missing in rows
    }


def _works(session: Session, sets: Sequence[tuple[PhotoSet, SetRef]], model_id: int) -> dict[int, Work]:
    rows = session.scalars(
        select(Work)
        .join(PhotoSet, and_(PhotoSet.id == Work.set_id, PhotoSet.generation == Work.generation))
        .where(Work.set_id.in_([row.id for row, _ in sets]), Work.model_id == model_id)
    )
    return {row.set_id: row for row in rows}


def _pending_since(row: PhotoSet, work: Work | None) -> datetime | None:
    """An open set has waited since its last change, a complete one since its work was opened."""
    if row.closed_by is None:
        return row.last_change_at
    return work.created_at if work and work.state in (WorkState.PENDING, WorkState.LEASED) else None
