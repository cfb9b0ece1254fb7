"""How the photos of one set are scored, and which of them are refused."""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Lock
from weakref import finalize

import pytest
import structlog
from sqlalchemy import select

from core.domain import Blob, Label, LoadedPhoto, Pixels, Score, ViewPlan
from core.errors import (
    PhotoRefused,
    Refusal,
)
from core.testing.fixed_classifier import FixedClassifier
from core.testing.inline_loader import InlinePhotoLoader
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.history import Verdict
from db.transactions import Finish
from tests.house import GREEN, LONG_AGO, RED, SET, House, make_due, photo
from workers import pipeline
from workers.scoring import CHUNK


def test_a_photo_that_cannot_be_read_is_quarantined_and_the_set_never_clear(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.put("2.jpg", GREEN[:300])
    house.put("3.jpg", b"")
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}
    result = house.audit()
    assert (result.passed, result.quarantined, result.in_verdict) == (True, 2, 1)


def test_an_unpronounceable_key_is_quarantined_unread(house: House) -> None:
    house.put("1.jpg", RED)
    objects = [*house.store.list(SET), replace(next(house.store.list(SET)), key=SET + "../../etc/passwd")]
    pipeline.ingest_listing(house.context, pipeline.set_of(house.context, SET), objects)
    house.answer()
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert verdict.label is Label.DAMAGED
    assert {item["reason"] for item in verdict.reasons["photos"]} == {None, "invalid_key"}


class CountingLoader(InlinePhotoLoader):
    """Counts the decoded photos whose pixels somebody still holds."""

    def __init__(self) -> None:
        self._lock, self._held, self.most = Lock(), 0, 0

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        loaded = super().load(data, plan)
        finalize(loaded.views, self._change, -1)
        self._change(1)
        return loaded

    def _change(self, by: int) -> None:
        with self._lock:
            self._held += by
            self.most = max(self.most, self._held)


def test_a_set_holds_few_decoded_photos_however_many_it_has(house: House) -> None:
    for number in range(3 * CHUNK):
        house.put(f"{number}.jpg", GREEN)
    house.ingest()
    loader = CountingLoader()
    house.scoring = replace(house.scoring, loader=loader)
    house.answer()
    assert house.labels() == {SET: Label.CLEAR}
    assert 1 < loader.most <= CHUNK + 1, "the loop over the last chunk's results still holds one"


class AfraidOfRed(FixedClassifier):
    """A model that one kind of photo breaks."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        if any(photo[..., 0].mean() > photo[..., 1].mean() + 20 for photo in photos):
            raise PhotoRefused(Refusal.CLASSIFIER_FAILED)
        return super().classify(photos)


def test_a_photo_that_the_model_cannot_score_is_found_among_the_others(house: House) -> None:
    for number, data in enumerate([GREEN, RED, photo(-50, 1)]):
        house.put(f"{number}.jpg", data)
    house.scoring = replace(house.scoring, classifier=AfraidOfRed())
    house.ingest()
    assert house.answer() == [Finish.VERDICT]
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert [item["reason"] for item in verdict.reasons["photos"]] == [None, "classifier_failed", None]


class CutDownStore(MemoryPhotoStore):
    """A store behind something that hands out half of each photo, under the right etag."""

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        whole = super().read(key, max_bytes=max_bytes, etag=etag)
        half = whole.data[: len(whole.data) // 2]
        return Blob(half, hashlib.sha256(half).hexdigest(), whole.etag)


def test_half_a_photo_is_an_outage_and_not_a_bad_photo(house: House) -> None:
    house.put("1.jpg", GREEN)
    cut = CutDownStore(now=lambda: LONG_AGO)
    cut.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    assert pipeline.classify(replace(house.context, store=cut), house.scoring, work) is None
    make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


class SlowClassifier(FixedClassifier):
    """A model that takes longer than a lease."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        time.sleep(1.5)
        return super().classify(photos)


def test_slow_work_keeps_its_lease(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    brief = house.context.settings.model_copy(update={"lease": timedelta(seconds=0.6)})
    house.context = replace(house.context, settings=brief)
    slow = replace(house.scoring, classifier=SlowClassifier())
    with ThreadPoolExecutor(1) as worker:
        answer = worker.submit(pipeline.classify, house.context, slow, work)
        time.sleep(1.1)
        assert pipeline.classify(house.context, house.scoring, work) is None, "somebody else holds it"
        assert answer.result() is Finish.VERDICT


def test_a_photo_that_ends_its_worker_is_found_and_quarantined(house: House) -> None:
    """Claims that nobody answers for, as when the process dies; from the third on photos go one by one."""
    house.put("1.jpg", GREEN)
    house.put("2.jpg", RED)
    house.ingest()
    ((work, _),) = house.published
    deadly = replace(house.scoring, classifier=DeadlyClassifier())
    for _ in range(5):
        with pytest.raises(SystemExit):
            pipeline.classify(house.context, deadly, work)
        transactions.end_leases(house.context.sessions)
    assert pipeline.classify(house.context, deadly, work) is Finish.VERDICT
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert [item["reason"] for item in verdict.reasons["photos"]] == [None, "classifier_failed"]


def test_a_photo_that_was_in_hand_when_workers_were_killed_is_not_convicted(house: House) -> None:
    house.put("1.jpg", RED)
    house.ingest()
    ((work, _),) = house.published
    deadly = replace(house.scoring, classifier=DeadlyClassifier())
    for _ in range(4):
        with pytest.raises(SystemExit):
            pipeline.classify(house.context, deadly, work)
        transactions.end_leases(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT
    assert house.labels() == {SET: Label.DAMAGED}


class DeadlyClassifier(FixedClassifier):
    """A model that one kind of photo ends the process of."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        if any(photo[..., 0].mean() > photo[..., 1].mean() + 20 for photo in photos):
            raise SystemExit(139)
        return super().classify(photos)


def test_what_is_logged_of_a_photo_names_its_set(house: House) -> None:
    """Photos are fetched in threads of their own, which must know whose they are."""
    house.put("1.jpg", b"no photo at all")
    outcome = house.ingest()
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        assert house.answer() == [Finish.VERDICT]
    (line,) = [entry for entry in logs if entry["event"] == "photo_quarantined"]
    assert (line["set_key"], line["set_id"]) == (SET, outcome.set_id)


def test_a_verdict_costs_the_devices_time_and_not_the_stores(house: House) -> None:
    """The store takes a second, the device hardly anything: people pay for the device."""

    class SlowStore(MemoryPhotoStore):
        def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
            time.sleep(0.5)
            return super().read(key, max_bytes=max_bytes, etag=etag)

    class Timed(FixedClassifier):
        def classify(self, photos: Sequence[Pixels]) -> list[Score]:
            return [replace(score, device_seconds=0.125) for score in super().classify(photos)]

    store = SlowStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    house.scoring = replace(house.scoring, classifier=Timed())
    for name in ("1.jpg", "2.jpg"):
        store.write(SET + name, photo(0, seed=int(name[0])))
    house.ingest()
    assert house.answer() == [Finish.VERDICT]
    with house.context.sessions() as session:
        assert session.scalars(select(Verdict.device_seconds)).one() == 0.25
