"""A photo that the store refuses holds up nothing, and is judged once the store gives it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain import Blob, Label
from core.errors import PhotoRefused, Refusal, StoreUnavailable
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.transactions import ReplayRequest
from tests.house import GREEN, LONG_AGO, RED, SET, House
from workers import pipeline


class ArchivingStore(MemoryPhotoStore):
    """A store that keeps some of its objects in an archive."""

    archived: frozenset[str] = frozenset()
    reason = Refusal.ARCHIVED
    error: Exception | None = None

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        self._refuse(key)
        return super().read(key, max_bytes=max_bytes, etag=etag)

    def read_start(self, key: str, size: int, *, etag: str | None = None) -> bytes:
        self._refuse(key)
        return super().read_start(key, size, etag=etag)

    def _refuse(self, key: str) -> None:
        if self.error is not None:
            raise self.error
        if key in self.archived:
            raise PhotoRefused(self.reason, key)


@pytest.fixture
def store(house: House) -> ArchivingStore:
    store = ArchivingStore(now=lambda: LONG_AGO)
    house.context, house.store = replace(house.context, store=store), store
    store.write(SET + "1.png", GREEN)
    store.write(SET + "2.png", RED)
    store.write("returns/harbour/HB-205/r1/1.png", GREEN)
    store.archived = frozenset({SET + "2.png"})
    return store


@pytest.mark.parametrize("reason", [Refusal.ARCHIVED, Refusal.ACCESS_DENIED])
def test_the_rest_of_its_return_is_scored(house: House, store: ArchivingStore, reason: Refusal) -> None:
    store.reason = reason
    pipeline.scan(house.context)
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED, "returns/harbour/HB-205/r1/": Label.CLEAR}
    (verdict,) = (row for row in queries.current_verdicts(house.context.sessions) if row.set_key == SET)
    assert [photo["reason"] for photo in verdict.reasons["photos"]] == [None, reason]
    assert verdict.reasons["photos"][0]["probability"] < 0.4


def by_event(house: House) -> None:
    house.ingest()


def by_scan(house: House) -> None:
    assert pipeline.scan(house.context).judged_again == 1


@pytest.mark.parametrize("notice", [by_event, by_scan])
def test_a_restored_photo_is_judged_once(house: House, store: ArchivingStore, notice: Callable[[House], None]) -> None:
    pipeline.scan(house.context)
    house.answer()
    house.ingest()
    assert (pipeline.scan(house.context).judged_again, house.published) == (0, []), "it is in the archive still"
    store.archived = frozenset()
    notice(house)
    house.ingest()
    pipeline.scan(house.context)
    assert len(house.published) == 1, "asked for any number of times, judged again once"
    house.answer()
    assert house.labels()[SET] is Label.DAMAGED
    (verdict,) = (row for row in queries.current_verdicts(house.context.sessions) if row.set_key == SET)
    assert (verdict.generation, verdict.photos) == (2, 2)
    assert house.audit().passed


def test_an_outage_is_no_answer(house: House, store: ArchivingStore) -> None:
    pipeline.scan(house.context)
    house.answer()
    store.error = StoreUnavailable("the store is away")
    with pytest.raises(StoreUnavailable):
        house.ingest()
    assert (pipeline.scan(house.context).judged_again, house.published) == (0, [])


def test_only_refused_photos_of_the_set_are_judged_again(house: House, store: ArchivingStore) -> None:
    pipeline.scan(house.context)
    house.answer()
    (verdict, other) = queries.current_verdicts(house.context.sessions)
    (refused,) = queries.photos_refused_by_store(house.context.sessions, verdict.set_id)
    assert refused.key == SET + "2.png"
    sessions, request = house.context.sessions, ReplayRequest("ana")
    keys = [SET + "1.png", refused.key]
    assert transactions.replay_photos(sessions, other.set_id, keys, request) == 0
    assert transactions.replay_photos(sessions, verdict.set_id, keys, request) == 1
    assert transactions.replay_photos(sessions, verdict.set_id, keys, request) == 0
