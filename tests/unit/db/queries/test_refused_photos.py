"""Which photos the store refused, of which sets, on both databases."""

from core.domain import PhotoStatus
from core.errors import Refusal
from db import queries, transactions
from db.session import Sessions
from db.transactions import PhotoResult
from tests.photo_sets import BUCKET, LEASE, MARKED, NOW, POLICY, register, set_ref, stored


def refuse(sessions: Sessions, number: int, reasons: dict[str, str]) -> int:
    """A set whose photos are quarantined, each for its reason; its id."""
    ref = set_ref(number)
    outcome = transactions.ingest(sessions, BUCKET, ref, stored(ref, *reasons), MARKED, None, None, NOW)
    (work,) = outcome.opened
    claim = transactions.claim(sessions, work, LEASE, 9)
    assert claim is not None
    results = [
        PhotoResult(photo.photo_id, PhotoStatus.QUARANTINED, reason)
        for photo, (_, reason) in zip(claim.photos, sorted(reasons.items()), strict=True)
    ]
    transactions.finish(sessions, claim, results, POLICY, NOW, 0.0)
    return outcome.set_id


def test_reasons_that_lie_in_the_store(sessions: Sessions) -> None:
    register(sessions)
    first = refuse(sessions, 1, {"a": Refusal.ARCHIVED, "b": Refusal.TRUNCATED, "c": Refusal.ACCESS_DENIED})
    second = refuse(sessions, 2, {"a": Refusal.CORRUPT})
    third = refuse(sessions, 3, {"a": Refusal.ARCHIVED})
    refused = queries.photos_refused_by_store(sessions, first)
    assert [photo.key.removeprefix(set_ref(1).set_key) for photo in refused] == ["a.jpg", "c.jpg"]
    assert queries.photos_refused_by_store(sessions, second) == []
    assert queries.sets_refused_by_store(sessions, BUCKET, 0, 9) == [first, third]
    assert queries.sets_refused_by_store(sessions, BUCKET, 0, 1) == [first]
    assert queries.sets_refused_by_store(sessions, BUCKET, first, 9) == [third]
    assert queries.sets_refused_by_store(sessions, "other", 0, 9) == []
