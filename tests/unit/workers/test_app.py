"""The Celery application: three queues, and nothing but JSON from the broker."""

from collections.abc import Iterator

import pytest
from celery import Celery
from celery.worker import state

from core.settings import load_settings
from workers.app import end_worker, make_app, resources
from workers.bootstrap import WorkerResources
from workers.lease import LONGEST_SECONDS
from workers.queues import QUEUES


@pytest.fixture
def app() -> Iterator[Celery]:
    app = make_app(load_settings(broker_url="redis://127.0.0.1:1/0"))
    yield app
    app.close()


def test_its_queues_are_those_that_a_worker_can_be_told_to_serve(app: Celery) -> None:
    assert tuple(queue.name for queue in app.conf.task_queues) == QUEUES == ("intake", "classify", "rescore")
    assert not app.conf.task_create_missing_queues, "a misspelt queue is no new one"


def test_it_reads_nothing_from_the_broker_that_could_run_code(app: Celery) -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"


def test_a_message_is_not_delivered_again_while_a_lease_can_be_kept(app: Celery) -> None:
    assert app.conf.broker_transport_options["visibility_timeout"] > LONGEST_SECONDS


def test_the_process_holds_one_set_of_resources(app: Celery) -> None:
    assert isinstance(resources(app), WorkerResources)
    assert resources(app) is resources(app)


def test_a_worker_is_ended_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "should_stop", None)
    end_worker()
    assert state.should_stop is not None
