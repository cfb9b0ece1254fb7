"""Records what a listing shows of a set: idempotent, and independent of the order in which listings come."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.completeness import Completeness, Manifest
from core.domain import ClosedBy, ModelState, PhotoStatus, SetRef, StoredObject
from core.errors import Refusal
from core.object_kinds import companions
from db.dialect import insert_for
from db.history import Verdict
from db.models import ModelVersion, Photo, PhotoSet, Queue, SetState, Vehicle, Work
from db.session import snapshot, transaction
from db.transactions.absences import mark_back, mark_gone
from db.transactions.queue import WorkKey, close_overtaken_work, open_work
from db.transactions.set_dates import date_set

_TRUST = list(ClosedBy)  # most trusted first
_NO_PICTURE = (Refusal.NOT_A_PHOTO, Refusal.EMPTY)
_PROVISIONAL = (ClosedBy.QUIET, ClosedBy.DEADLINE)


class _Change(IntEnum):
    """What a listing changes of a set. PRESENCE: known photos went, or came back as they were; CONTENT: all else."""

    NONE = 0
    PRESENCE = 1
    CONTENT = 2


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What an ingest did. `missing`: keys that this listing and the one before lack, and that are not proved gone."""

    set_id: int
    generation: int
    changed: bool
    opened: tuple[WorkKey, ...]
    closed_by: ClosedBy | None
    check_at: datetime | None
    missing: tuple[str, ...]


@transaction
def ingest(
    session: Session,
    bucket: str,
    ref: SetRef,
    listing: Sequence[StoredObject],
    completeness: Completeness,
    manifest: Manifest | None,
    expected: int | None,
    now: datetime,
    gone: Collection[str] = (),
) -> IngestOutcome:
    """Bring a set's rows to what `listing` (its photos only) shows; twice the same changes nothing the second time.

    Any change of the photos or of the manifest makes the next generation, and work for it if the set is complete.
    `gone` are keys proved to be no longer in the store: those photos count on (`db.transactions.absences`), and so
    does a manifest that is gone.
    """
    photo_set = _locked_set(session, bucket, ref, now)
    change, missing = _record_photos(session, photo_set.id, listing, gone)
    if photo_set.generation == 0 or (manifest is not None and photo_set.manifest_sha256 != manifest.sha256):
        change = _Change.CONTENT
    photo_set.expected = expected
    if manifest is not None:
        photo_set.manifest_sha256, photo_set.manifest = manifest.sha256, promised(manifest)
    elif photo_set.manifest is not None:
        completeness = _still_promised(photo_set.manifest, listing, completeness)
    if completeness.closed_by is None and _all_are_gone(session, photo_set.id, listing):
        completeness = replace(completeness, closed_by=ClosedBy.DEADLINE)  # there is nothing left to wait for
    changed = _settle(session, photo_set, completeness, change, now)
    if changed:
        date_set(session, photo_set)
        close_overtaken_work(session, photo_set.id, photo_set.generation)
    return IngestOutcome(
        photo_set.id,
        photo_set.generation,
        changed,
        _open_first_work(session, photo_set),
        photo_set.closed_by,
        photo_set.check_at,
        missing,
    )


@snapshot
def sets_due(session: Session, now: datetime, limit: int) -> list[str]:
    """The keys of at most `limit` open sets that must be looked at again by `now`, longest due first."""
    keys = session.scalars(
        select(PhotoSet.set_key)
        .where(PhotoSet.state == SetState.OPEN, PhotoSet.check_at <= now)
        .order_by(PhotoSet.check_at, PhotoSet.id)
        .limit(limit)
    )
    return list(keys)


def _locked_set(session: Session, bucket: str, ref: SetRef, now: datetime) -> PhotoSet:
    """The set's row, made (generation 0) if it is new, locked until the transaction ends."""
    statement = select(PhotoSet).where(PhotoSet.bucket == bucket, PhotoSet.set_key == ref.set_key).with_for_update()
    photo_set = session.scalar(statement)
    if photo_set is not None:
        return photo_set
    session.execute(
        insert_for(session, Vehicle).on_conflict_do_nothing(), [{"fleet": ref.fleet, "vehicle_ref": ref.vehicle}]
    )
    vehicle_id = session.scalars(
        select(Vehicle.id).where(Vehicle.fleet == ref.fleet, Vehicle.vehicle_ref == ref.vehicle)
    ).one()
    new: dict[str, Any] = {
        "vehicle_id": vehicle_id,
        "bucket": bucket,
        "set_key": ref.set_key,
        "return_ref": ref.return_ref,
        "generation": 0,
        "content_generation": 0,
        "state": SetState.OPEN,
        "missing": [],
        **dict.fromkeys(("first_seen_at", "last_change_at", "returned_at", "uploaded_at"), now),
    }
    session.execute(insert_for(session, PhotoSet).on_conflict_do_nothing(), [new])
    return session.scalars(statement).one()


def _record_photos(
    session: Session, set_id: int, listing: Sequence[StoredObject], gone: Collection[str]
) -> tuple[_Change, tuple[str, ...]]:
    """What changed of the current photos, and the keys that are missing for at least the second time."""
    known = {
        photo.object_key: photo
        for photo in session.scalars(select(Photo).where(Photo.set_id == set_id, ~Photo.superseded))
    }
    change, new = _Change.NONE, []
    beside = companions(stored.key for stored in listing)
    for stored in {stored.key: stored for stored in listing}.values():
        photo = known.pop(stored.key, None)
        # A file that was refused for being no picture is looked at anew when the picture comes that it belongs to.
        is_companion_now = photo is not None and photo.reason in _NO_PICTURE and stored.key in beside
        if photo is not None and photo.etag == stored.etag and not is_companion_now:
            photo.absences = 0
            if photo.gone_reason is not None:
                mark_back(photo)
                change = _Change.PRESENCE
            continue
        if photo is not None:
            photo.superseded = True
        new.append(new_photo(set_id, stored))
    absent = [photo for _, photo in sorted(known.items()) if photo.gone_reason is None]
    went = [photo for photo in absent if photo.object_key in gone]
    missing = [photo for photo in absent if photo.object_key not in gone and photo.absences]
    for photo in absent:
        photo.absences = 1
    mark_gone(session, went)  # flushes: old versions step back before the new ones take their place in the unique index
    if new:
        session.execute(insert_for(session, Photo), new)
    if new or went:
        change = _Change.CONTENT if new else _Change.PRESENCE
    return change, tuple(photo.object_key for photo in missing)


def _still_promised(
    promise: Mapping[str, str], listing: Sequence[StoredObject], completeness: Completeness
) -> Completeness:
    """A manifest that is gone still says which photos belong to the set; only another one takes its place."""
    missing = tuple(sorted(promise.keys() - {stored.key for stored in listing}))
    if not missing:
        return replace(completeness, closed_by=ClosedBy.MANIFEST if listing else None)
    return replace(completeness, closed_by=completeness.closed_by and ClosedBy.DEADLINE, missing=missing)


def _all_are_gone(session: Session, set_id: int, listing: Sequence[StoredObject]) -> bool:
    photos = select(Photo.id).where(Photo.set_id == set_id, ~Photo.superseded)
    is_one_there = exists(photos.where(Photo.gone_reason.is_(None)))
    return not listing and bool(session.scalar(select(exists(photos) & ~is_one_there)))


def promised(manifest: Manifest | None) -> dict[str, str] | None:
    """What a set's row keeps of its manifest: object keys to the sha256 promised."""
    return {entry.key: entry.sha256 for entry in manifest.entries} if manifest else None


def new_photo(set_id: int, stored: StoredObject) -> dict[str, Any]:
    """The row of a photo that was just seen for the first time."""
    return {
        "set_id": set_id,
        "object_key": stored.key,
        "etag": stored.etag,
        "size": stored.size,
        "uploaded_at": stored.modified_at,
        "status": PhotoStatus.SEEN,
        "absences": 0,
        "superseded": False,
    }


def _settle(session: Session, photo_set: PhotoSet, completeness: Completeness, change: _Change, now: datetime) -> bool:
    """Store whether the set is complete; whether that (or `change`) makes a new generation.

    A complete set stays complete while nothing new comes. A more trusted rule replaces a less trusted one, except under
    a verdict, whose inputs never change: there it opens the next generation if the old rule was a provisional one.
    """
    rule, old = completeness.closed_by, photo_set.closed_by
    is_better = old is None or (rule is not None and _TRUST.index(rule) < _TRUST.index(old))
    stays = change is not _Change.CONTENT and not is_better
    if change is _Change.NONE and old is not None:
        if stays:
            return False
        if _has_verdict(session, photo_set):
            if old not in _PROVISIONAL:
                return False
            change = _Change.CONTENT
    if change is not _Change.NONE:
        photo_set.generation += 1
        photo_set.last_change_at = now
    if change is _Change.CONTENT:
        photo_set.content_generation = photo_set.generation
    if not stays:
        photo_set.state = SetState.OPEN if rule is None else SetState.COMPLETE
        photo_set.closed_by = rule
        photo_set.check_at = completeness.check_at if rule is None else None
        photo_set.missing = list(completeness.missing)
        photo_set.note = completeness.note
    return change is not _Change.NONE


def _has_verdict(session: Session, photo_set: PhotoSet) -> bool:
    verdict = exists().where(Verdict.set_id == photo_set.id, Verdict.generation == photo_set.generation)
    return bool(session.scalar(select(verdict)))


def _open_first_work(session: Session, photo_set: PhotoSet) -> tuple[WorkKey, ...]:
    """Work of the active model for the set as it is now, if it is complete and nobody was asked yet.

    Part of a transaction.
    """
    model_id = session.scalar(select(ModelVersion.id).where(ModelVersion.state == ModelState.ACTIVE))
    if model_id is None or photo_set.state is not SetState.COMPLETE:
        return ()
    if session.get(Work, (photo_set.id, model_id, photo_set.generation)) is not None:
        return ()
    work = WorkKey(photo_set.id, model_id, photo_set.generation)
    open_work(session, {work: Queue.RESCORE if _has_verdict(session, photo_set) else Queue.CLASSIFY})
    return (work,)
