"""Scans are recorded, and of several processes that ask at once one begins; on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import text

from db.session import Sessions
from db.transactions import finish_scan, keep_scan, last_scan, start_due_scan, start_scan
from tests.photo_sets import BUCKET, NOW


def test_scans_are_recorded(sessions: Sessions) -> None:
    assert last_scan(sessions, "fleet", BUCKET) == (None, None)
    first = start_scan(sessions, "fleet", BUCKET, "returns/", NOW)
    finish_scan(sessions, first, {"listed": 5, "missing": 1, "repaired": 1, "strays": 2}, NOW + timedelta(minutes=1))
    start_scan(sessions, "fleet", BUCKET, "returns/", NOW + timedelta(days=1))
    found = last_scan(sessions, "fleet", BUCKET)
    assert found == (NOW + timedelta(days=1), NOW + timedelta(minutes=1))
    with sessions() as session:
        row = session.execute(text("SELECT listed, missing, repaired, counts FROM scan_run ORDER BY id")).first()
    assert row is not None
    assert row[:3] == (5, 1, 1)
    assert "strays" in str(row[3])


def test_a_running_scan_is_known_by_its_last_sign(sessions: Sessions) -> None:
    scan_id = start_scan(sessions, "fleet", BUCKET, "returns/", NOW)
    keep_scan(sessions, scan_id, NOW + timedelta(hours=5))
    assert last_scan(sessions, "fleet", BUCKET) == (NOW + timedelta(hours=5), None)


def test_of_eight_that_ask_at_once_one_begins(sessions: Sessions) -> None:
    def is_due(last_sign: datetime | None, last_finished: datetime | None) -> bool:
        assert last_finished is None
        return last_sign is None

    with ThreadPoolExecutor(8) as processes:
        asked = [processes.submit(start_due_scan, sessions, "fleet", BUCKET, "returns/", NOW, is_due) for _ in range(8)]
        begun = [started for started in (answer.result() for answer in asked) if started is not None]
    assert len(begun) == 1
