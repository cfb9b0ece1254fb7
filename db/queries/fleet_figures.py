"""Figures for the charts of a fleet, from the view `standing`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, column, func, select, table
from sqlalchemy.orm import Session

from core.domain import Label
from db.dialect import UtcDateTime
from db.queries.tables import ReportFilter
from db.session import snapshot

_standing = table(
    "standing",
    *(column(name) for name in ("set_id", "bucket", "set_key", "fleet", "vehicle_ref", "return_ref", "generation")),
    *(column(name) for name in ("label", "status", "decided_by", "score", "model_id", "photos")),
    *(column(name, UtcDateTime()) for name in ("returned_at", "last_change_at", "decided_at")),
)
_damage = table("damage", *(column(name) for name in ("set_id", "novelty")), column("decided_at", UtcDateTime()))
_WAITING = ("open", "pending", "failed")


@dataclass(frozen=True, slots=True)
class ReturnBrief:
    """A summary of a return. `novelty` is `new`, `known` or `no baseline`, of damaged ones only."""

    set_id: int
    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    label: Label
    score: float | None
    model_id: int
    returned_at: datetime
    decided_by: str
    novelty: str | None


@snapshot
def labels_by_minute(session: Session, report_filter: ReportFilter) -> list[tuple[datetime, str, int]]:
    """(a minute, a status, how many returns came back in it and have that status), fine enough for any time zone."""
    view = _standing.c
    if session.get_bind().dialect.name == "postgresql":
        minute: ColumnElement[Any] = func.date_trunc("minute", view.returned_at, type_=UtcDateTime())
    else:
        minute = func.substr(view.returned_at, 1, 16).concat(":00.000000Z")
    rows = session.execute(
        select(minute, view.status, func.count()).where(*_chosen(report_filter)).group_by(minute, view.status)
    )
    return [(_moment(moment), status, count) for moment, status, count in rows]


@snapshot
def waiting_ages(session: Session, report_filter: ReportFilter, now: datetime) -> list[float]:
    """For each return without a verdict the seconds since its last change, regardless of the period."""
    view = _standing.c
    rows = session.scalars(select(view.last_change_at).where(view.status.in_(_WAITING), *_of_fleet(report_filter)))
    return [(now - changed).total_seconds() for changed in rows]


@snapshot
def decided_scores(session: Session, report_filter: ReportFilter) -> list[tuple[float, bool]]:
    """(the active model's score, whether a person called it damaged) of each return that a person decided."""
    view = _standing.c
    rows = session.execute(
        select(view.score, view.label).where(
            view.decided_by == "person",
            view.label != Label.UNDECIDED.value,
            view.score.is_not(None),
            *_chosen(report_filter),
        )
    )
    return [(score, label == Label.DAMAGED) for score, label in rows]


@snapshot
def most_damaged(session: Session, report_filter: ReportFilter, limit: int) -> list[ReturnBrief]:
    """The latest damaged return of each vehicle that has one; the vehicles with the highest scores first."""
    view = _standing.c
    place = func.row_number().over(
        partition_by=(view.fleet, view.vehicle_ref), order_by=(view.returned_at.desc(), view.set_id.desc())
    )
    damaged = (
        select(view.set_id, view.fleet, view.vehicle_ref, view.score, place.label("place"))
        .where(view.label == Label.DAMAGED.value, view.model_id.is_not(None), *_chosen(report_filter))
        .subquery()
        .c
    )
    latest = (
        select(damaged.set_id)
        .where(damaged.place == 1)
        .order_by(func.coalesce(damaged.score, 0).desc(), damaged.fleet, damaged.vehicle_ref)
        .limit(limit)
    )
    return _briefs(session, list(session.scalars(latest)))


@snapshot
def new_damage_since(session: Session, bucket: str, since: datetime, limit: int) -> list[ReturnBrief]:
    """Returns decided as damaged since then, without known damage; highest score first."""
    view = _standing.c
    chosen = (
        select(view.set_id)
        .join(_damage, _damage.c.set_id == view.set_id)
        .where(view.bucket == bucket, view.decided_at >= since, _damage.c.novelty != "known")
        .order_by(view.score.desc(), view.set_id)
        .limit(limit)
    )
    return _briefs(session, list(session.scalars(chosen)))


def _briefs(session: Session, set_ids: Sequence[int]) -> list[ReturnBrief]:
    view = _standing.c
    columns = (view.set_id, view.set_key, view.fleet, view.vehicle_ref.label("vehicle"), view.return_ref, view.label)
    others = (view.score, view.model_id, view.returned_at, view.decided_by, _damage.c.novelty)
    rows = session.execute(
        select(*columns, *others)
        .outerjoin(_damage, _damage.c.set_id == view.set_id)
        .where(view.set_id.in_(set_ids), view.model_id.is_not(None))
    )
    found = {row.set_id: ReturnBrief(**{**row._mapping, "label": Label(row.label)}) for row in rows}
    return [found[set_id] for set_id in set_ids if set_id in found]


def _of_fleet(report_filter: ReportFilter) -> list[ColumnElement[bool]]:
    view = _standing.c
    equal = (
        (view.bucket, report_filter.bucket),
        (view.fleet, report_filter.fleet),
        (view.vehicle_ref, report_filter.vehicle),
    )
    return [found == value for found, value in equal if value is not None]


def _chosen(report_filter: ReportFilter) -> list[ColumnElement[bool]]:
    view = _standing.c
    since = [view.returned_at >= report_filter.since] if report_filter.since is not None else []
    until = [view.returned_at < report_filter.until] if report_filter.until is not None else []
    return [*_of_fleet(report_filter), *since, *until]


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
