"""Every return with its status, each column in its place, on both databases."""

from core.completeness import Completeness
from core.domain import ClosedBy
from db.queries.returns import ReturnRow, returns
from db.session import Sessions
from db.transactions import bury
from tests.photo_sets import BUCKET, OPEN, arrive, judge, must_claim, register, set_ref, stored

FIRST, SECOND, THIRD = set_ref(1), set_ref(2, "airport", "r2"), set_ref(3)


def test_returns_come_in_key_order_with_why_they_stand_so(sessions: Sessions) -> None:
    register(sessions)
    judged = arrive(sessions, FIRST, stored(FIRST, "a"), Completeness(ClosedBy.QUIET, note="a note"))
    judge(sessions, judged.opened[0], 0.9)
    broken = arrive(sessions, SECOND, stored(SECOND, "a"))
    bury(sessions, must_claim(sessions, broken.opened[0]), "the model broke")
    waiting = arrive(sessions, THIRD, stored(THIRD, "a"), OPEN)
    expected = [
        ReturnRow(broken.set_id, SECOND.set_key, "airport", "V-002", "r2", "failed", "marker", None, "the model broke"),
        ReturnRow(
            judged.set_id,
            FIRST.set_key,
            "harbour",
            "V-001",
            "2026-11-20",
            "damaged",
            "quiet",
            "a note",
            None,
        ),
        ReturnRow(waiting.set_id, THIRD.set_key, "harbour", "V-003", "2026-11-20", "open", None, None, None),
    ]
    assert returns(sessions, BUCKET) == expected
    assert returns(sessions, BUCKET, "harbour") == expected[1:]
    assert returns(sessions, BUCKET, vehicle="V-003") == expected[2:]
    assert returns(sessions, "other") == []
