"""One database keeps the photos of one store, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from core.errors import SettingsInvalid
from db.session import Sessions
from db.transactions import claim_store, recorded_store
from tests.photo_sets import BUCKET, arrive, set_ref, stored
from tests.rows import everything


def test_the_first_store_is_written_down_and_every_other_one_refused(sessions: Sessions) -> None:
    assert recorded_store(sessions) is None
    claim_store(sessions, "ours")
    before = everything(sessions)
    claim_store(sessions, "ours")
    with pytest.raises(SettingsInvalid, match=r"names theirs, but database .* keeps the returns of ours, .*--out"):
        claim_store(sessions, "theirs")
    assert recorded_store(sessions) == "ours"
    assert everything(sessions) == before


def test_a_database_that_already_has_returns_belongs_to_their_store(sessions: Sessions) -> None:
    arrive(sessions, set_ref(), stored(set_ref(), "a"))
    with pytest.raises(SettingsInvalid, match=f"keeps the returns of {BUCKET},"):
        claim_store(sessions, "theirs")
    claim_store(sessions, BUCKET)


def test_a_database_of_two_stores_belongs_to_neither(sessions: Sessions) -> None:
    arrive(sessions, set_ref(), stored(set_ref(), "a"))
    arrive(sessions, set_ref(2), stored(set_ref(2), "a"))
    with sessions.begin() as session:
        session.execute(text("UPDATE photo_set SET bucket = 'zoo' WHERE id = (SELECT MAX(id) FROM photo_set)"))
    for name in (BUCKET, "zoo"):
        with pytest.raises(SettingsInvalid, match="one database serves one store"):
            claim_store(sessions, name)
    assert recorded_store(sessions) is None


def test_of_two_stores_at_once_one_is_refused(sessions: Sessions) -> None:
    barrier = Barrier(2)

    def claim(name: str) -> bool:
        barrier.wait()
        try:
            claim_store(sessions, name)
        except SettingsInvalid:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(claim, ["ours", "theirs"])) == [False, True]
