"""Returns in pages, each column in its place, and their counts, on both databases."""

from core.completeness import Completeness
from core.domain import ClosedBy, PhotoStatus
from db.queries.returns import ReturnChoice, ReturnRow, ordered_returns, return_counts, returns_by_id
from db.session import Sessions
from db.transactions import bury
from tests.photo_sets import BUCKET, NOW, arrive, judge, must_claim, register, set_ref, stored

FIRST, SECOND, THIRD = set_ref(1), set_ref(2, "airport", "r2"), set_ref(3)
EVERYTHING = ReturnChoice(BUCKET)


def three_returns(sessions: Sessions) -> tuple[int, list[int]]:
    """The model's id, and returns: clear, damaged with a quarantined photo, and pending."""
    model = register(sessions)
    works = [arrive(sessions, ref, stored(ref, "a", "b")).opened[0] for ref in (FIRST, SECOND, THIRD)]
    judge(sessions, works[0], 0.1)
    judge(sessions, works[1], 0.9, b=PhotoStatus.QUARANTINED)
    return model, [work.set_id for work in works]


def test_returns_come_by_status_and_then_by_score(sessions: Sessions) -> None:
    _, (clear, damaged, pending) = three_returns(sessions)
    order = ["damaged", "pending", "clear"]
    assert list(ordered_returns(sessions, EVERYTHING, order)) == [damaged, pending, clear]
    assert list(ordered_returns(sessions, EVERYTHING, order[::-1])) == [clear, pending, damaged]


def test_returns_are_those_of_a_bucket_a_fleet_or_a_vehicle(sessions: Sessions) -> None:
    model, (clear, damaged, pending) = three_returns(sessions)
    for choice, chosen in (
        (ReturnChoice(BUCKET, fleet="airport"), {damaged}),
        (ReturnChoice(BUCKET, vehicle=FIRST.vehicle), {clear}),
        (ReturnChoice("other"), set()),
    ):
        assert set(ordered_returns(sessions, choice, ["damaged"])) == chosen
        assert sum(return_counts(sessions, choice, model).returns.values()) == len(chosen)
    assert returns_by_id(sessions, [pending, 12345]).keys() == {pending}


def test_counts_are_of_all_photos(sessions: Sessions) -> None:
    model, _ = three_returns(sessions)
    counts = return_counts(sessions, EVERYTHING, model)
    assert counts.returns == {"damaged": 1, "pending": 1, "clear": 1}
    assert counts.photos == {PhotoStatus.OK: 3, PhotoStatus.QUARANTINED: 1, PhotoStatus.SEEN: 2}
    assert (counts.pictures, counts.heat_maps) == (3, True)


def test_every_column_is_in_its_place(sessions: Sessions) -> None:
    register(sessions)
    judged = arrive(sessions, FIRST, stored(FIRST, "a"), Completeness(ClosedBy.QUIET, note="a note"))
    judge(sessions, judged.opened[0], 0.9)
    failed = arrive(sessions, SECOND, stored(SECOND, "a"))
    bury(sessions, must_claim(sessions, failed.opened[0]), "the model broke")
    rows = returns_by_id(sessions, [judged.set_id, failed.set_id])
    assert rows[failed.set_id] == ReturnRow(
        set_id=failed.set_id,
        set_key=SECOND.set_key,
        fleet="airport",
        vehicle="V-002",
        return_ref="r2",
        status="failed",
        closed_by="marker",
        note=None,
        last_error="the model broke",
        score=None,
        reasons=None,
        decided_by=None,
        judged_at=None,
    )
    row = rows[judged.set_id]
    assert (row.status, row.closed_by, row.note, row.score) == ("damaged", "quiet", "a note", 0.9)
    assert (row.decided_by, row.judged_at) == ("model", NOW)
    assert row.reasons is not None
    assert row.reasons["rule"]
