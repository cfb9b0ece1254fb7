"""What a fleet's charts are drawn from, on both databases."""

from datetime import timedelta

import pytest

from db.queries.fleet_figures import most_damaged
from db.queries.tables import ReportFilter
from db.session import Sessions
from tests.integration.db.queries.test_tables import came_back
from tests.photo_sets import BUCKET, NOW, register


@pytest.fixture
def damaged(sessions: Sessions) -> Sessions:
    """Two vehicles; of V a scan found the older return last, and its score is higher than the later one's."""
    register(sessions)
    came_back(sessions, "V", NOW, 0.8)
    came_back(sessions, "V", NOW - timedelta(days=30), 0.99)
    came_back(sessions, "W", NOW - timedelta(days=1), 0.9)
    return sessions


def test_a_vehicle_is_shown_by_its_latest_damaged_return_and_placed_by_its_score(damaged: Sessions) -> None:
    shown = most_damaged(damaged, ReportFilter(bucket=BUCKET), limit=5)
    assert [(brief.vehicle, brief.returned_at) for brief in shown] == [("W", NOW - timedelta(days=1)), ("V", NOW)]
    assert [brief.score for brief in shown] == [pytest.approx(0.9), pytest.approx(0.8)]


def test_the_latest_is_the_latest_within_the_period(damaged: Sessions) -> None:
    until = ReportFilter(bucket=BUCKET, vehicle="V", until=NOW)
    assert [brief.returned_at for brief in most_damaged(damaged, until, limit=5)] == [NOW - timedelta(days=30)]


def test_no_more_vehicles_than_asked_for(damaged: Sessions) -> None:
    assert [brief.vehicle for brief in most_damaged(damaged, ReportFilter(), limit=1)] == ["W"]
