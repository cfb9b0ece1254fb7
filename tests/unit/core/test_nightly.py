from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.nightly import latest_due, scan_is_due

RIGA = ZoneInfo("Europe/Riga")
AT = time(3, 30)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T12:00", "2026-11-23T01:30"),
        ("2026-11-23T01:29", "2026-11-22T01:30"),
        ("2026-03-29T12:00", "2026-03-29T01:30"),  # 03:30 is skipped that night: it is 04:30 summer time
        ("2026-10-25T12:00", "2026-10-25T00:30"),  # 03:30 comes twice: the first counts
        ("2026-10-25T01:30", "2026-10-25T00:30"),  # and the second does not make another
    ],
)
def test_local_time_over_daylight_saving(now: str, due: str) -> None:
    found = latest_due(datetime.fromisoformat(now).replace(tzinfo=UTC), AT, RIGA)
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.sampled_from(["Europe/Riga", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]),
)
def test_due_at_most_a_long_day_ago_and_never_ahead(now: datetime, at: time, zone: str) -> None:
    due = latest_due(now, at.replace(tzinfo=None), ZoneInfo(zone))
    assert due <= now < due + timedelta(hours=50)


def test_one_scan_a_night() -> None:
    now = datetime(2026, 11, 23, 2, tzinfo=UTC)
    due = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    before = due - timedelta(days=1)
    assert scan_is_due(now, AT, RIGA, None, None)
    assert scan_is_due(now, AT, RIGA, before, before)
    assert not scan_is_due(now, AT, RIGA, now - timedelta(minutes=2), before), "it is running"
    assert not scan_is_due(now, AT, RIGA, due, due + timedelta(minutes=3)), "it was made"


def test_a_scan_lost_with_its_worker_is_made_again() -> None:
    started = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert scan_is_due(started + timedelta(minutes=11), AT, RIGA, started, started - timedelta(days=1))
