"""All sets of a store in the order of its listing, on both databases."""

from dataclasses import replace

import pytest

from db import queries
from db.session import Sessions
from db.transactions import (
    bury,
)
from tests.photo_sets import (
    BUCKET,
    NOW,
    OPEN,
    arrive,
    judge,
    must_claim,
    register,
    set_ref,
    stored,
)

REF = set_ref()


def test_sets_are_walked_in_the_order_of_bytes_page_by_page(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.queries.walks.PAGE", 2)
    register(sessions)
    fleets = ["a", "B", "_", "é", "z", "😀", "Z"]
    for fleet in fleets:
        arrive(sessions, set_ref(1, fleet), stored(set_ref(1, fleet), "a"))
    arrive(sessions, replace(REF, set_key="other/1/"), [])
    walked = list(queries.set_rows(sessions, BUCKET, "returns/"))
    assert [row.ref.fleet for row in walked] == sorted(fleets, key=str.encode)
    assert walked[0].photos == {f"{walked[0].ref.set_key}a.jpg": "a-1"}
    placed = list(queries.placed_photos(sessions, BUCKET, "returns/"))
    assert [row.ref for row in placed] == [row.ref for row in walked]
    assert [row.ref.fleet for row in queries.set_rows(sessions, BUCKET, "returns/B")] == ["B"]
    assert len(list(queries.set_rows(sessions, BUCKET, ""))) == 8


def test_a_placed_set_says_where_it_stands(sessions: Sessions) -> None:
    register(sessions)
    arrive(sessions, set_ref(1), stored(set_ref(1), "a"), OPEN)
    pending = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
    bury(sessions, must_claim(sessions, arrive(sessions, set_ref(3), stored(set_ref(3), "a")).opened[0]), "broken")
    judge(sessions, arrive(sessions, set_ref(4), stored(set_ref(4), "a")).opened[0])
    opened, waiting, dead, done = queries.placed_photos(sessions, BUCKET, "")
    assert opened.pending_since == NOW
    assert waiting.pending_since is not None
    assert waiting.pending_since > NOW, "work waits since it was opened"
    assert waiting.set_id == pending.set_id
    assert (dead.dead, dead.pending_since, dead.verdict) == (True, None, None)
    assert (done.dead, done.pending_since) == (False, None)
    assert done.verdict is not None
    assert done.photos[0].probability == 0.1
