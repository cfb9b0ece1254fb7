"""Intake: what a listing says of a set, written down, however often and in whatever order it is told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.completeness import Completeness, Manifest
from core.domain import ClosedBy, ModelState, PhotoStatus, SetRef, StoredObject
from db.dialect import insert_for
from db.models import ModelVersion, Photo, PhotoSet, Queue, ScanRun, SetState, Vehicle, Verdict, Work
from db.session import snapshot, transaction
from db.transactions.queue import WorkKey, close_overtaken_work, open_work
from db.transactions.set_dates import date_set

_TRUST = list(ClosedBy)  # most trusted first
_PROVISIONAL = (ClosedBy.QUIET, ClosedBy.DEADLINE)


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What an ingest did. `missing`: live keys that were absent from this listing and from one before it."""

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

    Any change of the live photos or of the manifest makes the next generation, and work for it if the set is
    complete. `gone` are keys proved to be no longer in the store.
    """
    photo_set = _locked_set(session, bucket, ref, now)
    changed, missing = _record_photos(session, photo_set.id, listing, gone)
    changed |= photo_set.generation == 0 or photo_set.manifest_sha256 != (manifest.sha256 if manifest else None)
    photo_set.expected = expected
    photo_set.manifest_sha256 = manifest.sha256 if manifest else None
    photo_set.manifest = promised(manifest)
    changed = _settle(session, photo_set, completeness, changed, now)
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
def sets_due(session: Session, now: datetime, limit: int) -> list[tuple[str, str]]:
    """(bucket, set_key) of at most `limit` open sets that must be looked at again by `now`, longest due first."""
    rows = session.execute(
        select(PhotoSet.bucket, PhotoSet.set_key)
        .where(PhotoSet.state == SetState.OPEN, PhotoSet.check_at <= now)
        .order_by(PhotoSet.check_at, PhotoSet.id)
        .limit(limit)
    )
    return [(bucket, set_key) for bucket, set_key in rows]


@transaction
def start_scan(session: Session, kind: str, bucket: str, prefix: str, now: datetime) -> int:
    """Record that a scan of `prefix` began; its id."""
    run = ScanRun(kind=kind, bucket=bucket, prefix=prefix, started_at=now)
    session.add(run)
    session.flush()
    return run.id


@transaction
def finish_scan(session: Session, scan_id: int, counts: dict[str, int], now: datetime) -> None:
    """Record that a scan ended: `listed`, `missing` and `repaired` in their columns, other counts together."""
    run = session.get_one(ScanRun, scan_id)
    others = dict(counts)
    run.listed, run.missing, run.repaired = (others.pop(name, None) for name in ("listed", "missing", "repaired"))
    run.counts, run.finished_at = others, now


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
        "state": SetState.OPEN,
        "missing": [],
        **dict.fromkeys(("first_seen_at", "last_change_at", "returned_at", "uploaded_at"), now),
    }
    session.execute(insert_for(session, PhotoSet).on_conflict_do_nothing(), [new])
    return session.scalars(statement).one()


def _record_photos(
    session: Session, set_id: int, listing: Sequence[StoredObject], gone: Collection[str]
) -> tuple[bool, tuple[str, ...]]:
    """Whether the live photos changed, and the live keys missing for at least the second time."""
    known = {
        photo.object_key: photo
        for photo in session.scalars(select(Photo).where(Photo.set_id == set_id, ~Photo.superseded))
    }
    listed = {stored.key: stored for stored in listing}
    new = []
    for key, stored in listed.items():
        photo = known.get(key)
        if photo is not None and photo.etag == stored.etag and photo.status is not PhotoStatus.GONE:
            photo.absences = 0
            continue
        if photo is not None:
            photo.superseded = True
        new.append(new_photo(set_id, stored))
    missing, went = [], False
    for key, photo in sorted(known.items()):
        if key in listed or photo.status is PhotoStatus.GONE:
            continue
        if key in gone:
            photo.status, went = PhotoStatus.GONE, True
        elif photo.absences:
            missing.append(key)
        else:
            photo.absences = 1
    session.flush()  # old versions step back before the new ones take their place in the unique index
    if new:
        session.execute(insert_for(session, Photo), new)
    return bool(new) or went, tuple(missing)


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


def _settle(session: Session, photo_set: PhotoSet, completeness: Completeness, changed: bool, now: datetime) -> bool:
    """Store whether the set is complete; whether that (or `changed`) makes a new generation.

    A complete set stays complete while its content does. A more trusted rule replaces a less trusted one, except under
    a verdict, whose inputs never change: there it opens the next generation if the old rule was a provisional one.
    """
    rule, old = completeness.closed_by, photo_set.closed_by
    if not changed and old is not None:
        if rule is None or _TRUST.index(rule) >= _TRUST.index(old):
            return False
        if _has_verdict(session, photo_set):
            if old not in _PROVISIONAL:
                return False
            changed = True
    if changed:
        photo_set.generation += 1
        photo_set.last_change_at = now
    photo_set.state = SetState.OPEN if rule is None else SetState.COMPLETE
    photo_set.closed_by = rule
    photo_set.check_at = completeness.check_at if rule is None else None
    photo_set.missing = list(completeness.missing)
    photo_set.note = completeness.note
    return changed


def _has_verdict(session: Session, photo_set: PhotoSet) -> bool:
    verdict = exists().where(Verdict.set_id == photo_set.id, Verdict.generation == photo_set.generation)
    return bool(session.scalar(select(verdict)))


def _open_first_work(session: Session, photo_set: PhotoSet) -> tuple[WorkKey, ...]:
    """Work of the active model for the set as it is now, if it is complete and nobody was asked yet."""
    model_id = session.scalar(select(ModelVersion.id).where(ModelVersion.state == ModelState.ACTIVE))
    if model_id is None or photo_set.state is not SetState.COMPLETE:
        return ()
    if session.get(Work, (photo_set.id, model_id, photo_set.generation)) is not None:
        return ()
    work = WorkKey(photo_set.id, model_id, photo_set.generation)
    open_work(session, {work: Queue.RESCORE if _has_verdict(session, photo_set) else Queue.CLASSIFY})
    return (work,)
