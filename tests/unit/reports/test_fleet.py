"""Charts from rows: days of the fleet's calendar, ages, reliability. All pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.fleet import by_age, by_local_day, reliability
from reports.view import Standing

RIGA = ZoneInfo("Europe/Riga")


def test_a_late_evening_in_utc_is_the_next_day_of_the_fleet() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    (day,) = by_local_day([(late, "damaged", 2), (late, "clear", 3)], RIGA)
    assert (day.day, day.counts, day.total) == (date(2026, 11, 23), {Standing.DAMAGED: 2, Standing.CLEAR: 3}, 5)
    assert by_local_day([(late, "damaged", 2)], ZoneInfo("UTC"))[0].day == date(2026, 11, 22)


def test_days_on_which_nothing_came_back_are_there_too() -> None:
    moments = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (20, 23)]
    days = by_local_day([(moment, "clear", 1) for moment in moments], RIGA)
    assert [(day.day.day, day.total) for day in days] == [(20, 1), (21, 0), (22, 0), (23, 1)]
    assert by_local_day([], RIGA) == []


@pytest.mark.parametrize(
    ("hours", "name"), [(0, "under 15 min"), (0.25, "15 min to 1 h"), (5, "1 to 6 h"), (99, "over a day")]
)
def test_ages_fall_into_their_span(hours: float, name: str) -> None:
    assert [found for found, count in by_age([hours * 3600]) if count] == [name]


def test_reliability_counts_what_people_called_damaged_by_tenths_of_the_score() -> None:
    found = reliability([(0.05, False), (0.04, False), (0.93, True), (0.97, True), (1.0, False)])
    assert [(item.returns, item.damaged) for item in found] == [(2, 0), (3, 2)]
    assert found[0].mean == pytest.approx(0.045)
    # Wilson's interval for 2 of 3, from Newcombe (1998), Statistics in Medicine 17: 857.
    assert (found[1].low, found[1].high) == pytest.approx((0.2077, 0.9385), abs=1e-4)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50))
def test_nobody_is_lost_and_intervals_hold_their_share(decided: list[tuple[float, bool]]) -> None:
    found = reliability(decided)
    assert sum(item.returns for item in found) == len(decided)
    assert sum(item.damaged for item in found) == sum(damaged for _, damaged in decided)
    for item in found:
        assert 0 <= item.low <= item.share + 1e-12
        assert item.share - 1e-12 <= item.high <= 1
