"""Work: who scores what next. The rows are the queue and the outbox of its messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, bindparam, case, or_, select, update
from sqlalchemy.orm import Session

from core.domain import ClosedBy, ModelIdentity, ModelState, SetRef, WorkState
from db.dialect import database_now, insert_for
from db.due import is_due
from db.models import ModelVersion, PhotoSet, Queue, Vehicle, Work
from db.photo_rows import PhotoRow, photo_rows
from db.session import transaction
from db.transactions.decisions import identity_of
from db.transactions.predictions import adopt_predictions

# So often the time between two messages for the same work is doubled: from 2 minutes to half an hour.
_DOUBLINGS = 4
# A worker has taken the message, or a pause begins: the next message is sent as soon as the work is due.
_UNPUBLISHED: dict[str, Any] = {"last_published": None, "publications": 0}


@dataclass(frozen=True, slots=True)
class WorkKey:
    """Which set, by which model version, of which content: exactly what a message carries."""

    set_id: int
    model_id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased piece of work and all it takes to do it.

    `token` fences: whoever claims later has a higher one. `attempts` counts claims (this one included) without a
    result, `failures` those given back with an error, `bugs` those of them with an unexpected error. `suspect` is the
    photo that was being scored alone when the worker of the last claim crashed, `suspicions` how many claims in a row
    crashed with it. `manifest` maps object keys to the sha256 promised. `uploaded_at` is when the newest
    photo came, `missing` what was promised and is not there.
    """

    work: WorkKey
    token: int
    attempts: int
    failures: int
    bugs: int
    ref: SetRef
    bucket: str
    closed_by: ClosedBy
    photos: tuple[PhotoRow, ...]
    manifest: dict[str, str]
    suspect: int | None
    suspicions: int
    queue: Queue
    uploaded_at: datetime
    missing: tuple[str, ...]
    model: ModelIdentity


@transaction
def claim(session: Session, work: WorkKey, lease: timedelta, max_attempts: int) -> Claim | None:
    """Lease `work` for `lease` by the database's clock; None if it is not due, held, finished, overtaken or dead.

    Work that was claimed `max_attempts` times without a result becomes dead here: it seems to crash its workers.
    """
    row = session.scalar(select(Work).where(_is(work), is_due()).with_for_update(skip_locked=True))
    if row is None:
        return None
    photo_set = session.get_one(PhotoSet, work.set_id)
    if photo_set.generation != work.generation or photo_set.closed_by is None:
        _change(session, _is(work), state=WorkState.DONE, lease_until=None)
        return None
    if row.attempts >= max_attempts:
        error = f"{row.attempts} workers in a row ended without an answer; last error: {row.last_error or 'none'}"
        _change(session, _is(work), state=WorkState.DEAD, lease_until=None, last_error=error)
        return None
    token, attempts, failures = row.token + 1, row.attempts + 1, row.failures
    _change(
        session,
        _is(work),
        state=WorkState.LEASED,
        token=token,
        attempts=attempts,
        lease_until=database_now(lease),
        **_UNPUBLISHED,
    )
    adopt_predictions(session, work.set_id, work.model_id)
    vehicle = session.get_one(Vehicle, photo_set.vehicle_id)
    return Claim(
        work=work,
        token=token,
        attempts=attempts,
        failures=failures,
        bugs=row.bugs,
        ref=SetRef(vehicle.fleet, vehicle.vehicle_ref, photo_set.return_ref, photo_set.set_key),
        bucket=photo_set.bucket,
        closed_by=photo_set.closed_by,
        photos=photo_rows(session, [work.set_id], work.model_id)[work.set_id],
        manifest=dict(photo_set.manifest or {}) if photo_set.closed_by is ClosedBy.MANIFEST else {},
        suspect=row.suspect_photo_id,
        suspicions=row.suspicions,
        queue=row.queue,
        uploaded_at=photo_set.uploaded_at,
        missing=tuple(photo_set.missing),
        model=identity_of(session.get_one(ModelVersion, work.model_id)),
    )


@transaction
def renew(session: Session, claim: Claim, lease: timedelta) -> bool:
    """Lengthen the lease to `lease` from now. False if the work is no longer this claim's."""
    return _change(session, _held(claim), lease_until=database_now(lease))


@transaction
def mark_suspect(session: Session, claim: Claim, photo_id: int) -> None:
    """Record which photo is scored alone now, in case the worker crashes. No-op when fenced."""
    again = case((Work.suspect_photo_id == photo_id, Work.suspicions + 1), else_=1)
    _change(session, _held(claim), suspect_photo_id=photo_id, suspicions=again)


@transaction
def release(session: Session, claim: Claim, delay: timedelta, error: str, *, is_bug: bool = False) -> None:
    """Give the work back to be tried again after `delay`, no photo suspected: the worker did not crash.

    `is_bug` counts it among those that trying again may never mend. No-op when fenced.
    """
    _change(
        session,
        _held(claim),
        state=WorkState.PENDING,
        lease_until=None,
        not_before=database_now(delay),
        attempts=Work.attempts - 1,
        failures=Work.failures + 1,
        bugs=Work.bugs + int(is_bug),
        suspect_photo_id=None,
        last_error=error,
        **_UNPUBLISHED,
    )


@transaction
def bury(session: Session, claim: Claim, error: str) -> None:
    """Give the work up until a person replays it. No-op when fenced."""
    _change(session, _held(claim), state=WorkState.DEAD, lease_until=None, last_error=error)


@transaction
def end_leases(session: Session) -> int:
    """End every lease now; how many there were. Only where it is known that no worker is left to hold one."""
    statement = update(Work).where(Work.state == WorkState.LEASED).values(lease_until=database_now())
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


@transaction
def due_work(session: Session, queue: Queue, limit: int, republish_after: timedelta) -> list[WorkKey]:
    """At most `limit` pieces of the queue's work that should be running and have no message on its way to a worker.

    What was never published comes first, the oldest of it first; then that whose message has had no answer, which may
    be lost: for `republish_after`, and twice as long after each further message. The active model comes before
    candidates; work for retired models waits. Each is marked as published.
    """
    serving = select(ModelVersion.id).where(ModelVersion.state != ModelState.RETIRED)
    models = session.scalars(serving.order_by(ModelVersion.state, ModelVersion.id)).all()
    due: list[WorkKey] = []
    for model_id, unheard in product(models, (Work.last_published.is_(None), _is_unanswered(republish_after))):
        if len(due) == limit:
            break
        rows = session.scalars(
            select(Work)
            .where(Work.queue == queue, Work.model_id == model_id, unheard, is_due())
            .order_by(Work.last_published, Work.created_at, Work.set_id)
            .limit(limit - len(due))
            .with_for_update(skip_locked=True)
        )
        due += [WorkKey(row.set_id, row.model_id, row.generation) for row in rows]
    _change_all(session, due, {"last_published": database_now(), "publications": Work.publications + 1})
    return due


@transaction
def mark_unpublished(session: Session, works: Sequence[WorkKey]) -> None:
    """Record that no message was sent for these after all: they are published as soon as there is room."""
    _change_all(session, works, _UNPUBLISHED)


def open_work(session: Session, works: Mapping[WorkKey, Queue], *, published: bool = True) -> None:
    """Insert the work rows that are not there yet. Part of a transaction.

    `published`: the caller sends a message for each as soon as the transaction is committed.
    """
    statement = insert_for(session, Work).on_conflict_do_nothing()
    now = session.scalar(select(database_now()))
    rows = [
        {
            "set_id": work.set_id,
            "model_id": work.model_id,
            "generation": work.generation,
            "queue": queue,
            "state": WorkState.PENDING,
            "token": 0,
            "attempts": 0,
            "failures": 0,
            "not_before": now,
            "last_published": now if published else None,
            "publications": int(published),
            "created_at": now,
        }
        for work, queue in works.items()
    ]
    if rows:
        session.execute(statement, rows)


def revive_work(session: Session, work: WorkKey) -> bool:
    """Make work due again that was given up, as if nobody had tried it. False if it is not. Part of a transaction."""
    return _change(
        session,
        and_(_is(work), Work.state == WorkState.DEAD),
        state=WorkState.PENDING,
        attempts=0,
        failures=0,
        bugs=0,
        suspect_photo_id=None,
        not_before=database_now(),
        **_UNPUBLISHED,
    )


def close_work(session: Session, claim: Claim) -> bool:
    """Mark the claimed work as done. False if it is no longer this claim's: fenced. Part of a transaction."""
    return _change(
        session, _held(claim), state=WorkState.DONE, lease_until=None, last_error=None, suspect_photo_id=None
    )


def close_overtaken_work(session: Session, set_id: int, generation: int) -> None:
    """Mark work on older content as done, unless a worker holds it: its result is refused. Part of a transaction."""
    waiting = Work.state.in_((WorkState.PENDING, WorkState.DEAD))
    _change(session, and_(Work.set_id == set_id, Work.generation < generation, waiting), state=WorkState.DONE)


def _is(work: WorkKey) -> ColumnElement[bool]:
    return and_(Work.set_id == work.set_id, Work.model_id == work.model_id, Work.generation == work.generation)


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(_is(claim.work), Work.token == claim.token, Work.state == WorkState.LEASED)


def _is_unanswered(republish_after: timedelta) -> ColumnElement[bool]:
    """Whether the newest message was sent so long ago that another one may be sent."""
    waits = [
        and_(Work.publications <= sent, Work.last_published < database_now(-republish_after * 2 ** (sent - 1)))
        for sent in range(1, _DOUBLINGS + 1)
    ]
    longest = Work.last_published < database_now(-republish_after * 2**_DOUBLINGS)
    return and_(Work.last_published < database_now(-republish_after), or_(*waits, longest))


def _change(session: Session, which: ColumnElement[bool], **values: Any) -> bool:
    statement = update(Work).where(which).values(values).execution_options(synchronize_session=False)
    result = cast("CursorResult[Any]", session.execute(statement))
    return result.rowcount > 0


def _change_all(session: Session, works: Sequence[WorkKey], values: Mapping[str, Any]) -> None:
    statement = (
        update(Work)
        .where(
            Work.set_id == bindparam("for_set"),
            Work.model_id == bindparam("for_model"),
            Work.generation == bindparam("for_generation"),
        )
        .values(values)
    )
    keys = [{"for_set": key.set_id, "for_model": key.model_id, "for_generation": key.generation} for key in works]
    if keys:
        session.connection().execute(statement, keys)
