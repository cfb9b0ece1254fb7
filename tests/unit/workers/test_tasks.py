"""Celery's side: a step that met an outage ends in good order, a bug does not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from celery import Celery
from celery.worker import state

from core.domain import Pixels, Score
from core.errors import DeviceBroken, StoreRefused
from core.settings import load_settings
from core.testing.fixed_classifier import FixedClassifier
from tests.house import GREEN, House
from workers.app import make_app, resources
from workers.health import Health
from workers.tasks import Step


@pytest.fixture
def app() -> Iterator[Celery]:
    app = Celery("test", set_as_current=False)
    yield app
    app.close()


def test_an_outage_is_one_line_and_no_failed_task(app: Celery) -> None:
    @app.task(base=Step, name="walkaround.test_outage")
    def step() -> None:
        raise StoreRefused("the credentials have expired; renew them")

    with structlog.testing.capture_logs() as logs:
        assert step.apply().successful()
    (line,) = [entry for entry in logs if entry["event"] == "step_failed"]
    assert line["cause"] == "operator"


def test_a_worker_whose_device_is_broken_takes_no_more_and_ends(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is unhealthy at once, finishes what it has in hand, and its exit code says why."""
    tried = []

    class Broken(FixedClassifier):
        def classify(self, photos: Sequence[Pixels]) -> list[Score]:
            tried.append(len(photos))
            raise DeviceBroken("the device failed 3 times in a row")

    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    app = make_app(load_settings(store=str(tmp_path)))
    held = resources(app)
    monkeypatch.setattr(held, "_context", house.context)
    monkeypatch.setattr(held, "_scoring", replace(house.scoring, classifier=Broken()))
    monkeypatch.setattr(state, "should_stop", None)
    task = app.tasks["walkaround.classify"]
    held.check()
    for _ in range(2):
        assert task.apply(args=(work.set_id, work.model_id, work.generation)).successful()
    assert tried == [1], "the second message is not even claimed"
    assert vars(state)["should_stop"] == 0, "Celery ends with this code, and `check` then raises"
    assert held.progress.health() == Health(False, "the device failed 3 times in a row")
    with pytest.raises(DeviceBroken):
        held.check()


def test_a_bug_fails_its_task(app: Celery) -> None:
    @app.task(base=Step, name="walkaround.test_bug")
    def step() -> None:
        raise ZeroDivisionError

    assert step.apply().failed()
