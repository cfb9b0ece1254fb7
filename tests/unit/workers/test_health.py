"""A liveness that looks at progress."""

from datetime import timedelta

import pytest

from core.errors import DatabaseUnavailable, Transient
from workers.health import Health, Progress, readiness


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


LIMIT = timedelta(minutes=10)


def test_a_process_with_work_and_no_progress_becomes_unhealthy(clock: Clock) -> None:
    progress = Progress(LIMIT, clock=clock)
    assert progress.health().healthy
    clock.now = 599
    assert progress.health().healthy
    clock.now = 601
    assert progress.health() == Health(False, "work is due, and nothing was done for 601 s")


def test_a_process_that_failed_for_good_is_unhealthy_whatever_it_still_does(clock: Clock) -> None:
    progress = Progress(LIMIT, clock=clock, due=lambda: False)
    progress.fail("the device is broken")
    progress.touch()
    assert progress.health() == Health(False, "the device is broken")


def test_progress_starts_the_wait_anew(clock: Clock) -> None:
    progress = Progress(LIMIT, clock=clock)
    for now in range(0, 7200, 300):
        clock.now = now
        assert progress.health().healthy
        progress.touch()
    clock.now += 500
    assert progress.health().healthy
    clock.now += 601
    assert not progress.health().healthy
    progress.touch()
    assert progress.health().healthy


def test_an_idle_process_is_healthy_and_silence_counts_from_when_work_came(clock: Clock) -> None:
    work = False
    progress = Progress(LIMIT, due=lambda: work, clock=clock)
    for now in range(0, 86_400, 600):
        clock.now = now
        assert progress.health() == Health(True, "nothing to do")
    work = True
    assert progress.health().healthy
    clock.now += 600
    assert progress.health().healthy
    clock.now += 1
    assert not progress.health().healthy


def test_a_database_that_is_away_is_not_the_process_s_fault(clock: Clock) -> None:
    def away() -> bool:
        raise DatabaseUnavailable("no answer")

    progress = Progress(LIMIT, due=away, clock=clock)
    for now in (0, 10_000):
        clock.now = now
        assert progress.health() == Health(True, "it is not known whether work is due: no answer")


def test_a_process_is_ready_once_nothing_it_needs_is_missing() -> None:
    def starting() -> None:
        raise Transient("it is starting")

    assert readiness((lambda: None, starting)) == Health(False, "it is starting")
    assert readiness((lambda: None,)) == Health(True, "ready")
