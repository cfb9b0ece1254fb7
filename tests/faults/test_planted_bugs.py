"""The checker must see each bug that is planted into the processes under test; else its silence would mean nothing."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import MakeSystem
from tests.faults.fleet import make_photo, make_returns
from tests.faults.hostile import corpus
from tests.faults.nursery import Nursery
from tests.faults.store_proxy import CUT_DOWN
from tests.faults.system import System
from tests.faults.test_vanishing import notice_absences
from tests.faults.test_workers_die import freeze_past_its_lease, kill_with_a_message_in_flight

SETS = 5
PATIENCE_S = 30.0
pytestmark = pytest.mark.faults

WithBug = Callable[[str | None], System]


@pytest.fixture
def with_bug(make_system: MakeSystem) -> Iterator[WithBug]:
    """A system whose processes all have a bug."""
    nurseries = []

    def make(bug: str | None) -> System:
        nurseries.append(Nursery(bug))
        return make_system(f"planted {bug}", 1, nurseries[-1])

    yield make
    for nursery in nurseries:
        nursery.close()


def test_no_fencing(with_bug: WithBug) -> None:
    """Scenario 3 demands a fenced write, and there is none."""
    run = with_bug("no_fencing")
    run.behave(pace=0.4)
    run.start_all(("worker-1",))
    run.upload(make_returns(run.rng, SETS))
    before = freeze_past_its_lease(run)
    run.wait_until(lambda: run.finished_by("worker-1") > before)
    run.finish(patience_s=PATIENCE_S)
    assert run.fenced() == 0


def test_no_generation_check(with_bug: WithBug) -> None:
    run = with_bug("no_generation_check")
    run.behave(pace=10.0)
    run.start_all()
    (item,) = make_returns(run.rng, 1, manifests=0.0)
    run.upload([item])
    run.wait_until(lambda: run.leased() > 0)
    run.ledger.changes[item.set_key] = 1
    run.put(f"{item.set_key}late.jpg", make_photo(run.rng))
    assert run.finish(patience_s=PATIENCE_S).wrong


def test_a_verdict_updated_in_place(with_bug: WithBug) -> None:
    """The database's own guards are off too: with them the update is refused."""
    run = with_bug("verdict_updated")
    run.execute("ALTER TABLE verdict DISABLE TRIGGER USER")
    run.execute("GRANT UPDATE ON verdict TO walkaround_worker")
    run.start_all()
    (item,) = make_returns(run.rng, 1, manifests=0.0)
    run.upload([item])
    run.finish_well()
    run.ledger.changes[item.set_key] = 1
    run.put(f"{item.set_key}late.jpg", make_photo(run.rng))
    assert run.finish(patience_s=PATIENCE_S).changed


def test_photos_that_vanished_are_forgotten(with_bug: WithBug) -> None:
    run = with_bug("vanished_forgotten")
    run.start_all()
    (item,) = make_returns(run.rng, 1, manifests=0.0)
    run.upload([item])
    run.finish_well()
    run.take_away(item.set_key + min(item.photos))
    run.wait_until(lambda: notice_absences(run) == 1)
    assert run.finish(patience_s=PATIENCE_S).wrong


def test_an_event_deleted_before_its_commit(with_bug: WithBug) -> None:
    run = with_bug("event_deleted_first")
    run.start_all()
    run.servers.postgresql.stop_at_once()
    try:
        run.upload(make_returns(run.rng, SETS))
        run.wait_until(lambda: run.queue_is_empty(run.queue_url))
    finally:
        run.servers.postgresql.start()
    assert run.finish(patience_s=PATIENCE_S).lost


def test_truncated_images_loaded(with_bug: WithBug) -> None:
    run = with_bug(None)
    run.behave(decoder="tests.faults.planted:load_truncated_photo")
    run.start_all()
    (item,) = make_returns(run.rng, 1, manifests=0.0)
    (cut,) = (file for file in corpus() if file.name == "cut-and-ended.png")
    item.photos[cut.name] = cut.data
    run.ledger.refused[item.set_key + cut.name] = (cut.status, cut.reason or "")
    run.upload([item])
    assert run.finish(patience_s=PATIENCE_S).wrong


def test_the_reconciler_off(with_bug: WithBug) -> None:
    run = with_bug("reconciler_off")
    run.behave(pace=0.3)
    run.start_all()
    run.upload(make_returns(run.rng, SETS))
    kill_with_a_message_in_flight(run)
    run.start("worker")
    assert run.finish(patience_s=PATIENCE_S).lost


def test_a_photo_cut_down_taken_as_it_comes(with_bug: WithBug) -> None:
    run = with_bug("size_not_compared")
    store = run.through_faulty_store()
    store.kinds = (CUT_DOWN,)
    run.start_all()
    store.share = 1.0
    run.upload(make_returns(run.rng, SETS, manifests=0.0))
    assert run.finish(patience_s=PATIENCE_S).wrong
