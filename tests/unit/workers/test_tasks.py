"""Celery's side: a step that met an outage ends in good order, a bug does not."""

from collections.abc import Iterator

import pytest
import structlog
from celery import Celery

from core.errors import StoreRefused
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


def test_a_bug_fails_its_task(app: Celery) -> None:
    @app.task(base=Step, name="walkaround.test_bug")
    def step() -> None:
        raise ZeroDivisionError

    assert step.apply().failed()
