"""Records sets that are new, many in one commit: what the first scan of a store finds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core.completeness import Completeness, Manifest, returned_at
from core.domain import ModelState, SetRef, StoredObject
from db.dialect import insert_for
from db.models import ModelVersion, Photo, PhotoSet, Queue, SetState, Vehicle
from db.session import transaction
from db.transactions.intake import new_photo, promised
from db.transactions.queue import WorkKey, open_work


@dataclass(frozen=True, slots=True)
class SetListing:
    """A set as one listing shows it: its photos only, whether they are all, and its manifest if it has a good one."""

    ref: SetRef
    photos: Sequence[StoredObject]
    completeness: Completeness
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """The keys of the sets that were new, and the work that was opened for those of them that are complete."""

    set_keys: frozenset[str]
    opened: tuple[WorkKey, ...]


@transaction
def record_new_sets(
    session: Session, bucket: str, listings: Sequence[SetListing], expected: int | None, now: datetime
) -> IntakeResult:
    """Record those of `listings` whose set is not known yet, as `ingest` would record each; others stay as they are.

    A set that another process records at the same moment counts as known: its listing may be newer than ours.
    """
    vehicles = _vehicles(session, {(listing.ref.fleet, listing.ref.vehicle) for listing in listings})
    rows = [
        _set_row(bucket, listing, vehicles[listing.ref.fleet, listing.ref.vehicle], expected, now)
        for listing in sorted(listings, key=lambda listing: listing.ref.set_key)  # one order for all: no deadlocks
    ]
    insert = insert_for(session, PhotoSet).on_conflict_do_nothing().returning(PhotoSet.set_key, PhotoSet.id)
    ids = {row.set_key: row.id for row in session.execute(insert, rows)}
    new = [listing for listing in listings if listing.ref.set_key in ids]
    photos = [new_photo(ids[listing.ref.set_key], stored) for listing in new for stored in listing.photos]
    if photos:
        session.execute(insert_for(session, Photo), photos)
    complete = [ids[listing.ref.set_key] for listing in new if listing.completeness.closed_by is not None]
    return IntakeResult(frozenset(ids), _open_work(session, complete))


def _vehicles(session: Session, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The ids of the vehicles by fleet and reference; new ones are inserted."""
    named = sorted(wanted)
    new = [{"fleet": fleet, "vehicle_ref": vehicle} for fleet, vehicle in named]
    session.execute(insert_for(session, Vehicle).on_conflict_do_nothing(), new)
    found = session.execute(
        select(Vehicle.fleet, Vehicle.vehicle_ref, Vehicle.id).where(
            tuple_(Vehicle.fleet, Vehicle.vehicle_ref).in_(named)
        )
    )
    return {(fleet, vehicle): vehicle_id for fleet, vehicle, vehicle_id in found}


def _set_row(bucket: str, listing: SetListing, vehicle_id: int, expected: int | None, now: datetime) -> dict[str, Any]:
    complete = listing.completeness
    uploads = [photo.modified_at for photo in listing.photos]
    return {
        "vehicle_id": vehicle_id,
        "bucket": bucket,
        "set_key": listing.ref.set_key,
        "return_ref": listing.ref.return_ref,
        "generation": 1,
        "state": SetState.OPEN if complete.closed_by is None else SetState.COMPLETE,
        "closed_by": complete.closed_by,
        "expected": expected,
        "manifest": promised(listing.manifest),
        "manifest_sha256": listing.manifest.sha256 if listing.manifest else None,
        "missing": list(complete.missing),
        "note": complete.note,
        "first_seen_at": now,
        "last_change_at": now,
        "returned_at": returned_at((uploaded, None) for uploaded in uploads) or now,
        "uploaded_at": max(uploads, default=now),
        "check_at": complete.check_at if complete.closed_by is None else None,
    }


def _open_work(session: Session, set_ids: Sequence[int]) -> tuple[WorkKey, ...]:
    model_id = session.scalar(select(ModelVersion.id).where(ModelVersion.state == ModelState.ACTIVE))
    if model_id is None:
        return ()
    works = tuple(WorkKey(set_id, model_id, generation=1) for set_id in set_ids)
    open_work(session, dict.fromkeys(works, Queue.CLASSIFY))
    return works
