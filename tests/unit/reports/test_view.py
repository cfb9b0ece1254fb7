"""The order people read in, and the totals."""

from core.domain import PhotoStatus
from reports.view import Standing, in_reading_order
from tests.reports import decided, photo, sample_report, waiting


def test_most_urgent_returns_come_first_and_the_clearest_damage_before_the_rest() -> None:
    low = decided("returns/f/LOW/r/", photo("1.jpg", 0.7))
    high = decided("returns/f/HIGH/r/", photo("1.jpg", 0.9))
    clear = decided("returns/f/CLEAR/r/", photo("1.jpg", 0.1))
    pending = waiting("returns/f/PENDING/r/", Standing.PENDING, photo("1.jpg"))

    assert in_reading_order([clear, pending, low, high]) == [high, low, pending, clear]


def test_totals_count_every_return_and_every_photo_once() -> None:
    report = sample_report()

    assert sum(report.standings.values()) == len(report.returns) == 9
    assert sum(report.photo_statuses.values()) == report.photo_count == 20
    assert report.photo_statuses[PhotoStatus.QUARANTINED] == 2
    assert report.photo_statuses[PhotoStatus.UNUSABLE] == 1


def test_a_returns_photos_are_ordered_by_damage_with_refused_ones_before_the_waiting() -> None:
    found = waiting(
        "returns/f/V/r/", Standing.PENDING, photo("a.jpg"), photo("b.jpg", reason="empty"), photo("c.jpg", 0.2)
    )

    assert [p.name for p in found.photos_by_damage] == ["c.jpg", "b.jpg", "a.jpg"]


def test_the_worst_photo_is_the_one_most_probably_damaged() -> None:
    found = decided("returns/f/V/r/", photo("a.jpg", 0.0), photo("b.jpg", 0.2), photo("c.jpg", reason="empty"))

    assert found.worst is not None
    assert found.worst.name == "b.jpg"
