"""What failed is tried again: after an outage any number of times, after a bug only so often."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core.domain import Blob, Pixels, Score
from core.errors import (
    DatabaseUnusable,
    DeviceBroken,
    ModelFailed,
    ModelUnusable,
    StoreRefused,
)
from core.testing.fixed_classifier import FixedClassifier
from core.testing.memory_store import MemoryPhotoStore
from db import queries
from db.dialect import database_now
from db.models import Work
from db.session import known_versions
from db.transactions import Finish, ReplayRequest
from tests.house import GREEN, LONG_AGO, SET, AwayStore, House, make_due
from workers import pipeline, replays
from workers.retries import retry_pause


def test_an_outage_postpones_and_never_gives_up(house: House) -> None:
    store = AwayStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    store.away = True
    for _ in range(10):
        house.published[:] = [(work, "classify")]
        assert house.answer() == [None]
        make_due(house.context.sessions)
    store.away = False
    house.published[:] = [(work, "classify")]
    assert house.answer() == [Finish.VERDICT]


class FailingDevice(FixedClassifier):
    """A classifier whose device fails."""

    error: ModelFailed = ModelFailed("the device fails even on a blank photo")

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        raise self.error


def test_a_failing_device_gives_its_set_back_and_a_broken_one_says_so_to_its_process(house: House) -> None:
    """As often as it happens: another worker can score these photos, and no bug is counted against the set."""
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    device = FailingDevice()
    scoring, healthy = replace(house.scoring, classifier=device), house.scoring
    for error in (device.error, DeviceBroken("the device failed 3 times in a row")):
        device.error, house.scoring = error, scoring
        house.published[:] = [(work, "classify")]
        if isinstance(error, DeviceBroken):
            with pytest.raises(DeviceBroken):
                house.answer()
        else:
            assert house.answer() == [None]
        make_due(house.context.sessions)
    with house.context.sessions() as session:
        row = session.scalars(select(Work)).one()
        assert (row.failures, row.bugs, row.attempts) == (2, 0, 0)
    house.scoring = healthy
    house.published[:] = [(work, "classify")]
    assert house.answer() == [Finish.VERDICT]


class BrokenClassifier(FixedClassifier):
    """A classifier with a bug."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        raise ZeroDivisionError("a bug")


def test_a_bug_gives_the_set_up_after_some_attempts_and_replay_brings_it_back(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    broken = replace(house.scoring, classifier=BrokenClassifier())
    for _ in range(house.context.settings.max_attempts):
        with pytest.raises(ZeroDivisionError):
            pipeline.classify(house.context, broken, work)
        make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is None
    assert queries.backlog(house.context.sessions).dead == 1
    assert not house.audit().passed
    wanted = queries.ReplayFilter(house.context.store.name)
    assert [found.set_key for found in replays.replay(house.context, wanted, ReplayRequest("ana"))] == [SET]
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


def test_an_outage_before_a_bug_does_not_hasten_the_end(house: House) -> None:
    store = AwayStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    store.away = True
    for _ in range(house.context.settings.max_attempts):
        assert pipeline.classify(house.context, house.scoring, work) is None
        make_due(house.context.sessions)
    store.away = False
    with pytest.raises(ZeroDivisionError):
        pipeline.classify(house.context, replace(house.scoring, classifier=BrokenClassifier()), work)
    make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


class RefusingStore(MemoryPhotoStore):
    """A store whose credentials have expired."""

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        raise StoreRefused("the credentials have expired; renew them")


class UnloadableModel(FixedClassifier):
    """A model whose file was damaged after the worker had started."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        raise ModelUnusable("the weights do not match the card")


def test_nothing_is_given_up_because_an_operator_was_late(house: House) -> None:
    """Twenty tries each, an hour and a half with the pauses between them; after the mend it goes on by itself."""
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    late = RefusingStore(now=lambda: LONG_AGO)
    for _ in range(20):
        assert pipeline.classify(replace(house.context, store=late), house.scoring, work) is None
        make_due(house.context.sessions)
    for _ in range(20):
        assert pipeline.classify(house.context, replace(house.scoring, classifier=UnloadableModel()), work) is None
        make_due(house.context.sessions)
    assert queries.backlog(house.context.sessions).dead == 0
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


def test_a_database_of_a_newer_version_explains_any_error(house: House) -> None:
    """A row that lacks what the newer version wants is refused with an error that is none of ours."""
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    broken = replace(house.scoring, classifier=BrokenClassifier())
    _set_version(house, "9999")
    for _ in range(house.context.settings.max_attempts + 1):
        with pytest.raises(DatabaseUnusable, match="newer"):
            pipeline.classify(house.context, broken, work)
        make_due(house.context.sessions)
    _set_version(house, known_versions()[-1])
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


def _set_version(house: House, version: str) -> None:
    with house.context.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_the_pause_grows_and_stays_under_five_minutes() -> None:
    assert [retry_pause(failures).total_seconds() for failures in range(9)] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert retry_pause(10_000) == timedelta(minutes=5)


def test_what_failed_is_not_tried_again_before_its_pause_is_over(house: House) -> None:
    house.context = replace(house.context, store=RefusingStore(now=lambda: LONG_AGO))
    house.store.write(SET + "1.jpg", GREEN)
    pipeline.ingest_listing(house.context, pipeline.set_of(house.context, SET), list(house.store.list(SET)))
    ((work, _),) = house.published
    for failures in range(3):
        assert pipeline.classify(house.context, house.scoring, work) is None
        with house.context.sessions() as session:
            row = session.scalars(select(Work)).one()
            now = session.scalar(select(database_now()))
        assert now is not None
        assert row.failures == failures + 1
        assert timedelta(0) <= retry_pause(failures) - (row.not_before - now) < timedelta(seconds=4)
        before = row.token
        assert pipeline.classify(house.context, house.scoring, work) is None, "not due yet"
        with house.context.sessions() as session:
            assert session.scalars(select(Work)).one().token == before, "and not claimed"
        make_due(house.context.sessions)
