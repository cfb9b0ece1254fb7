"""The current state: verdicts, backlog, progress and models."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Enum, Select, column, exists, func, select, table
from sqlalchemy.orm import Session

from core.domain import ClosedBy, Label, ModelIdentity, ModelState, WorkState
from core.policy import Policy
from db.dialect import Json, UtcDateTime, database_now
from db.due import is_due
from db.models import ModelVersion, PhotoSet, Queue, SetState, Work
from db.session import snapshot


def _word(name: str, enum: type[Label] | type[ClosedBy]) -> Any:
    return column(name, Enum(enum, native_enum=False, values_callable=lambda words: [word.value for word in words]))


_current = table(
    "current_verdict",
    *(column(name) for name in ("set_id", "bucket", "set_key", "fleet", "vehicle_ref", "return_ref", "generation")),
    *(column(name) for name in ("verdict_id", "model_id", "model", "score", "decided_by", "photos", "device_seconds")),
    _word("label", Label),
    _word("closed_by", ClosedBy),
    column("needs_another_look", Boolean),
    column("reasons", Json),
    column("created_at", UtcDateTime()),
)
_UNFINISHED = (WorkState.PENDING, WorkState.LEASED, WorkState.DEAD)
_status = table("return_status", *(column(name) for name in ("bucket", "status", "photos")))
_backlog = table(
    "backlog", *(column(name) for name in ("queue", "model_state", "state", "sets")), column("oldest_at", UtcDateTime())
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model version."""

    id: int
    identity: ModelIdentity
    policy: Policy


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts: each part that is given must match; decided at or after `since` and before `until`."""

    bucket: str | None = None
    fleet: str | None = None
    vehicle: str | None = None
    label: Label | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """The current verdict on a set; `label` is a person's where `decided_by` is "person". `photos` are in the store."""

    set_id: int
    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    generation: int
    label: Label
    score: float | None
    closed_by: ClosedBy
    decided_by: str
    needs_another_look: bool
    reasons: dict[str, Any]
    created_at: datetime
    photos: int
    verdict_id: int
    model_id: int
    model: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """Sets that the active model has not finished, by state; `oldest`: since when the longest waiting one has waited.

    A dead one does not wait. `shadow` counts what candidates have still to score beside it, which nobody waits for.
    """

    pending: int
    leased: int
    dead: int
    oldest: datetime | None
    shadow: int = 0


@dataclass(frozen=True, slots=True)
class BacklogFigures:
    """What waits. `sets`: the active model's unfinished work by queue and state ("pending", "leased", "dead").

    `oldest`: by queue, since when the longest waiting one waits; a dead one does not wait. `shadow`: what candidates
    have still to score. `overdue`: sets still open whose time to be looked at again has come: many of them where
    nothing reconciles.
    """

    sets: dict[tuple[str, str], int]
    oldest: dict[str, datetime | None]
    shadow: int
    overdue: int


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Sets that have photos, those with a verdict or given up (`dead`), and the photos of all and of decided sets."""

    sets_total: int
    sets_done: int
    photos_total: int
    photos_done: int
    dead: int


@snapshot
def active_model(session: Session) -> ModelRow | None:
    """The model version that verdicts are given by, if any is active."""
    row = session.scalar(select(ModelVersion).where(ModelVersion.state == ModelState.ACTIVE))
    if row is None:
        return None
    identity = ModelIdentity(row.name, row.weights_sha256, row.preprocess_sha256)
    return ModelRow(row.id, identity, Policy.model_validate(row.policy))


@snapshot
def current_verdicts(session: Session, wanted: VerdictFilter = VerdictFilter()) -> list[VerdictRow]:
    """The current verdicts in set key order."""
    view = _current.c
    query: Select[Any] = select(
        *(view[name] for name in ("set_id", "set_key", "fleet", "return_ref", "generation", "label")),
        view.vehicle_ref.label("vehicle"),
        *(view[name] for name in ("score", "closed_by", "decided_by", "needs_another_look", "reasons", "created_at")),
        *(view[name] for name in ("photos", "verdict_id", "model_id", "model")),
    )
    equal = {
        "bucket": wanted.bucket,
        "fleet": wanted.fleet,
        "vehicle_ref": wanted.vehicle,
        "label": wanted.label,
    }
    query = query.where(*(view[name] == value for name, value in equal.items() if value is not None))
    if wanted.since is not None:
        query = query.where(view.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(view.created_at < wanted.until)
    return [VerdictRow(**row._mapping) for row in session.execute(query.order_by(view.bucket, view.set_key))]


@snapshot
def backlog(session: Session) -> Backlog:
    """How much unfinished work there is, and since when."""
    view = _backlog.c
    rows = session.execute(select(view.model_state, view.state, view.sets, view.oldest_at)).all()
    active = [(state, sets, oldest) for model, state, sets, oldest in rows if model == ModelState.ACTIVE]
    counts = {state: sum(sets for other, sets, _ in active if other == state) for state in WorkState}
    return Backlog(
        pending=counts[WorkState.PENDING],
        leased=counts[WorkState.LEASED],
        dead=counts[WorkState.DEAD],
        oldest=min((oldest for state, _, oldest in active if state != WorkState.DEAD), default=None),
        shadow=sum(sets for model, state, sets, _ in rows if model != ModelState.ACTIVE and state != WorkState.DEAD),
    )


@snapshot
def backlog_figures(session: Session) -> BacklogFigures:
    """What waits, queue by queue; each queue and state has its figure, whether anything waits there or not."""
    view = _backlog.c
    rows = session.execute(select(view.queue, view.model_state, view.state, view.sets, view.oldest_at)).all()
    active = [row for row in rows if row.model_state == ModelState.ACTIVE]
    sets = {(queue.value, state.value): 0 for queue in Queue for state in _UNFINISHED}
    sets |= {(row.queue, row.state): row.sets for row in active}
    oldest: dict[str, datetime | None] = {queue.value: None for queue in Queue}
    for queue in oldest:
        since = [row.oldest_at for row in active if row.queue == queue and row.state != WorkState.DEAD]
        oldest[queue] = min(since, default=None)
    overdue = select(func.count()).where(PhotoSet.state == SetState.OPEN, PhotoSet.check_at <= database_now())
    return BacklogFigures(
        sets=sets,
        oldest=oldest,
        shadow=sum(row.sets for row in rows if row.model_state != ModelState.ACTIVE and row.state != WorkState.DEAD),
        overdue=session.scalar(overdue) or 0,
    )


@snapshot
def has_due_work(session: Session, model_ids: Collection[int], queues: Collection[str]) -> bool:
    """Whether one of these queues has due work for one of these model versions, published or not."""
    waiting = exists().where(Work.queue.in_(queues), Work.model_id.in_(model_ids), is_due())
    return bool(session.scalar(select(waiting)))


@snapshot
def progress(session: Session, bucket: str) -> ScanProgress:
    """How many of the bucket's sets the active model has judged."""
    view = _status.c
    query = (
        select(view.status, func.count(), func.sum(view.photos))
        .where(view.bucket == bucket, view.status != "empty")
        .group_by(view.status)
    )
    rows = [(status, sets, int(photos)) for status, sets, photos in session.execute(query)]
    done = [(sets, photos) for status, sets, photos in rows if status in list(Label)]
    return ScanProgress(
        sets_total=sum(sets for _, sets, _ in rows),
        sets_done=sum(sets for sets, _ in done),
        photos_total=sum(photos for _, _, photos in rows),
        photos_done=sum(photos for _, photos in done),
        dead=sum(sets for status, sets, _ in rows if status == "failed"),
    )
