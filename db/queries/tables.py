"""Any reporting view as a table: its columns typed, its rows filtered by fleet, vehicle and time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, ColumnClause, ColumnElement, Date, Row, TableClause, column, select, table, text
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from core.errors import SettingsInvalid
from db.dialect import Json, UtcDateTime
from db.session import Sessions, StreamedRows, snapshot
from db.views import VIEWS, view_comment

# What a report's dates are compared with: the first of these that it has.
_WHEN = ("day", "returned_at", "uploaded_at")
_BOOLEAN_COLUMNS = ("needs_another_look", "agree", "sampled")
_LATEST_FIRST = ("day", "returned_at", "decided_at", "uploaded_at")


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which rows: each part that is given must match. `since` (from then on) and `until` (before then) are instants.

    `first_day` and `last_day` are the same period in whole days, for reports that count by day.
    """

    bucket: str | None = None
    fleet: str | None = None
    vehicle: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A report's rows, read anew in each iteration, a page at a time.

    Values are str, int, float, bool, date, aware datetime, a JSON document, or None.
    """

    name: str
    comment: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]


def report_names() -> tuple[str, ...]:
    """The reports there are."""
    return VIEWS


def report_table(sessions: Sessions, name: str, report_filter: ReportFilter, limit: int | None = None) -> ReportTable:
    """The report's rows, the latest first where they have a time; at most `limit`.

    Raises `SettingsInvalid` for a report that does not exist, or has not what its rows are to be filtered by.
    """
    if name not in VIEWS:
        raise SettingsInvalid(f"there is no report {name!r}; there are {', '.join(VIEWS)}")
    view = _described(sessions, name)
    query = select(*view.c).where(*_conditions(name, view, report_filter)).order_by(*_order(view)).limit(limit)
    return ReportTable(name, view_comment(name), tuple(view.c.keys()), StreamedRows(sessions, query, _plain_row))


@snapshot
def _described(session: Session, name: str) -> TableClause:
    """The view with its columns as the database has them now."""
    names = session.execute(text(f"SELECT * FROM {name} LIMIT 0")).keys()  # noqa: S608  (one of our own names)
    columns: list[ColumnClause[Any]] = [column(found, _type(found)) for found in names]
    return table(name, *columns)


def _type(name: str) -> TypeEngine[Any] | None:
    if name.endswith("_at"):
        return UtcDateTime()
    if name == "day":
        return Date()
    if name in _BOOLEAN_COLUMNS:
        return Boolean()
    return Json if name == "reasons" else None


def _conditions(name: str, view: TableClause, report_filter: ReportFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if report_filter.bucket is not None and "bucket" in view.c:
        conditions.append(view.c.bucket == report_filter.bucket)
    for option, found, value in (
        ("--fleet", "fleet", report_filter.fleet),
        ("--vehicle", "vehicle_ref", report_filter.vehicle),
    ):
        if value is not None:
            conditions.append(_required(name, view, option, found) == value)
    if report_filter.first_day is None and report_filter.last_day is None:
        return conditions
    when = next((found for found in _WHEN if found in view.c), "")
    moment = _required(name, view, "--since or --until", when)
    first, last = (
        (report_filter.first_day, report_filter.last_day)
        if when == "day"
        else (report_filter.since, report_filter.until)
    )
    if first is not None:
        conditions.append(moment >= first)
    if last is not None:
        conditions.append(moment <= last if when == "day" else moment < last)
    return conditions


def _required(name: str, view: TableClause, option: str, found: str) -> ColumnElement[Any]:
    if found not in view.c:
        raise SettingsInvalid(f"the rows of {name} cannot be chosen by {option}; leave that out")
    return view.c[found]


def _order(view: TableClause) -> list[ColumnElement[Any]]:
    if "uncertainty" in view.c:
        return [view.c.uncertainty.desc(), view.c.returned_at]
    latest = [view.c[found].desc() for found in _LATEST_FIRST if found in view.c][:1]
    return [*latest, *list(view.c)[:2]]


def _plain_row(row: Row[Any]) -> tuple[Any, ...]:
    return tuple(float(value) if isinstance(value, Decimal) else value for value in row)
