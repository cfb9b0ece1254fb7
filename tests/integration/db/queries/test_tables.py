"""Any view as a table, on both databases: typed alike, filtered by fleet, vehicle and the fleet's own days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from core.domain import SetRef, StoredObject
from core.errors import SettingsInvalid
from db import transactions
from db.queries.fleet_figures import labels_by_minute, new_damage_since, waiting_ages
from db.queries.tables import ReportFilter, report_names, report_table
from db.session import Sessions, make_sessions
from tests.photo_sets import BUCKET, MARKED, NOW, POLICY, register, scored

LATE = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # in Riga it is the 23rd
EVERYTHING = ReportFilter()
EARLY = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def came_back(sessions: Sessions, vehicle: str, at: datetime, probability: float | None, fleet: str = "harbour") -> int:
    """A return, judged where a probability is given."""
    ref = SetRef(fleet, vehicle, f"{at:%Y-%m-%d}", f"returns/{fleet}/{vehicle}/{at:%Y-%m-%d}/")
    listing = [StoredObject(f"{ref.set_key}{name}.jpg", 1000, f"{name}-{at}", at) for name in "ab"]
    outcome = transactions.ingest(sessions, BUCKET, ref, listing, MARKED, None, None, at)
    if probability is not None:
        claimed = transactions.claim(sessions, outcome.opened[0], timedelta(minutes=5), 5)
        assert claimed is not None
        transactions.finish(sessions, claimed, scored(claimed, probability, taken_at=None), POLICY, at, 0.5)
    return outcome.set_id


def tell(sessions: Sessions) -> Sessions:
    register(sessions)
    came_back(sessions, "A", EARLY, 0.1)
    came_back(sessions, "A", LATE, 0.9)
    came_back(sessions, "B", EARLY, 0.95, fleet="airport")
    came_back(sessions, "C", LATE, None)
    return sessions


@pytest.fixture
def told(sessions: Sessions) -> Sessions:
    return tell(sessions)


def column(sessions: Sessions, report: str, name: str, wanted: ReportFilter = EVERYTHING) -> list[object]:
    table = report_table(sessions, report, wanted)
    return [row[table.columns.index(name)] for row in table.rows]


def test_every_report_is_typed_alike_on_both_databases(
    sqlite_url: str, postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> None:
    both = [tell(make_sessions(make_test_engine(url))) for url in (sqlite_url, postgresql_url)]
    for name in report_names():
        first, second = (report_table(sessions, name, ReportFilter(bucket=BUCKET)) for sessions in both)
        assert first.columns == second.columns
        assert first.comment.startswith("A row is ")
        assert len(list(first.rows)) == len(list(second.rows))
        for place, found in enumerate(first.columns):
            kinds = [{type(row[place]) for row in table.rows} - {type(None)} for table in (first, second)]
            assert kinds[0] == kinds[1], f"{name}.{found}"


def test_rows_are_chosen_by_fleet_vehicle_and_store(told: Sessions) -> None:
    assert sorted(column(told, "current_verdict", "vehicle_ref")) == ["A", "A", "B"]  # type: ignore[type-var]
    assert column(told, "current_verdict", "vehicle_ref", ReportFilter(fleet="airport")) == ["B"]
    assert column(told, "current_verdict", "fleet", ReportFilter(vehicle="A")) == ["harbour", "harbour"]
    assert column(told, "current_verdict", "fleet", ReportFilter(bucket="other")) == []


def test_the_latest_come_first_and_periods_end_before_their_end(told: Sessions) -> None:
    assert column(told, "return_status", "returned_at")[:2] == [LATE, LATE]
    assert (
        column(told, "return_status", "returned_at", ReportFilter(since=LATE, first_day=date(2026, 11, 23)))
        == [LATE] * 2
    )
    assert (
        column(told, "return_status", "returned_at", ReportFilter(until=LATE, last_day=date(2026, 11, 22)))
        == [EARLY] * 2
    )
    day = ReportFilter(first_day=date(2026, 11, 22), last_day=date(2026, 11, 22), since=NOW, until=NOW)
    assert column(told, "fleet_day", "day", day) == [date(2026, 11, 22)]
    assert len(list(report_table(told, "return_status", ReportFilter(), limit=1).rows)) == 1


@pytest.mark.parametrize(
    ("name", "wanted", "option"),
    [
        ("backlog", ReportFilter(fleet="harbour"), "--fleet"),
        ("fleet_day", ReportFilter(vehicle="A"), "--vehicle"),
        ("miss_rate", ReportFilter(first_day=date(2026, 11, 22)), "--since or --until"),
    ],
)
def test_a_report_that_cannot_be_filtered_so_says_so(
    told: Sessions, name: str, wanted: ReportFilter, option: str
) -> None:
    with pytest.raises(SettingsInvalid, match=f"the rows of {name} cannot be chosen by {option}; leave that out"):
        report_table(told, name, wanted)


def test_a_report_that_is_not_there_is_told_which_are(told: Sessions) -> None:
    with pytest.raises(SettingsInvalid, match="there is no report 'model_version'; there are .*fleet_day"):
        report_table(told, "model_version", ReportFilter())


def test_what_the_charts_are_drawn_from(told: Sessions) -> None:
    counted = sorted(labels_by_minute(told, ReportFilter(bucket=BUCKET)))
    assert counted == [
        (EARLY, "clear", 1),
        (EARLY, "damaged", 1),
        (LATE, "damaged", 1),
        (LATE, "pending", 1),
    ]
    assert waiting_ages(told, ReportFilter(bucket=BUCKET), LATE + timedelta(hours=2)) == [7200.0]
    found = new_damage_since(told, BUCKET, EARLY, 10)
    assert [(brief.vehicle, brief.novelty) for brief in found] == [("B", "no baseline"), ("A", "new")]
    assert new_damage_since(told, BUCKET, LATE + timedelta(seconds=1), 10) == []
    assert [brief.vehicle for brief in new_damage_since(told, BUCKET, LATE, 10)] == ["A"]
