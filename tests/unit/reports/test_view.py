"""The totals, and the order of a return's photos."""

from core.domain import PhotoStatus
from reports.view import Standing
from tests.reports import decided, photo, sample_report, waiting


def test_totals_count_every_return_and_every_photo_once() -> None:
    totals = sample_report().totals

    assert totals.returns == sum(totals.standings.values()) == 9
    assert totals.photos == sum(totals.photo_statuses.values()) == 20
    assert totals.photo_statuses[PhotoStatus.QUARANTINED] == 2
    assert totals.photo_statuses[PhotoStatus.UNUSABLE] == 1


def test_a_returns_photos_are_ordered_by_damage_with_refused_ones_before_the_waiting() -> None:
    found = waiting(
        "returns/f/V/r/", Standing.PENDING, photo("a.jpg"), photo("b.jpg", reason="empty"), photo("c.jpg", 0.2)
    )

    assert [p.name for p in found.photos_by_damage] == ["c.jpg", "b.jpg", "a.jpg"]


def test_the_worst_photo_is_the_one_most_probably_damaged() -> None:
    found = decided("returns/f/V/r/", photo("a.jpg", 0.0), photo("b.jpg", 0.2), photo("c.jpg", reason="empty"))

    assert found.worst is not None
    assert found.worst.name == "b.jpg"
