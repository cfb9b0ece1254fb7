"""Returns that are tried again later, on both databases."""

from datetime import timedelta

from db import queries, transactions
from db.session import Sessions
from tests.photo_sets import BUCKET, LEASE, MARKED, NOW, register, set_ref, stored


def test_returns_that_failed_and_are_tried_again(sessions: Sessions) -> None:
    register(sessions)
    for number in (1, 2, 3):
        ref = set_ref(number)
        (work,) = transactions.ingest(sessions, BUCKET, ref, stored(ref, "a"), MARKED, None, None, NOW).opened
        claim = transactions.claim(sessions, work, LEASE, 9)
        assert claim is not None
        if number == 1:
            transactions.bury(sessions, claim, "given up")
        elif number == 2:
            transactions.release(sessions, claim, timedelta(minutes=5), "StoreUnavailable: away")
    (waiting,) = queries.waiting_returns(sessions, BUCKET, 9)
    assert (waiting.set_key, waiting.problem) == (set_ref(2).set_key, "StoreUnavailable: away")
    assert waiting.not_before.tzinfo is not None
    assert queries.waiting_returns(sessions, "other", 9) == []
    assert queries.waiting_returns(sessions, BUCKET, 0) == []
