"""Scenarios 14, 17 and 18: a device that fails, a model swapped and rolled back, people who review meanwhile."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest

from core.domain import Label
from db import transactions
from db.session import make_engine, make_sessions
from tests.faults.checker import redness_probability
from tests.faults.conftest import MakeSystem
from tests.faults.fleet import DEADLY, make_photo, make_returns
from tests.faults.nursery import ROOT
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15
DEVICE_BATCH = 16  # photos, of `small_device`
BIAS = -8.0  # the second model finds much less


@pytest.mark.scenario("14 out of memory on the accelerator and a native abort")
@seeds()
def test_the_device_fails(run: System, seed: int) -> None:
    """The device has room for two views and dies of one photo: batches halve, that photo alone is given up."""
    run.configure(lease=3)
    run.behave(small_device=True)
    run.start_all()
    returns = make_returns(run.rng, SETS, manifests=0.0)
    culprit = run.rng.choice(returns)
    culprit.photos["deadly.jpg"] = make_photo(run.rng, DEADLY)
    run.ledger.refused[f"{culprit.set_key}deadly.jpg"] = ("quarantined", "classifier_failed")
    with run.supervised():
        run.upload(returns)
        run.finish_well()
    halved = sum("out of memory with" in str(line.get("event")) for line in run.log_lines())
    assert halved > 0
    assert run.figures.counts["restarts"] >= 3
    run.fault("out of memory", halved)
    run.fault("native abort", run.figures.counts["restarts"])


@pytest.mark.scenario("14b one of two workers has a broken device")
@seeds()
def test_a_worker_whose_device_breaks_ends(run: System, seed: int) -> None:
    """It fails faster than the other one scores: unless it ends, it takes sets from the one that can score them."""
    run.behave(small_device=True, pace=0.2)
    run.start_all(("worker-1",))
    run.behave(pace=0.0, device_breaks_after=run.rng.randrange(2, 8))
    run.start_fresh("worker-broken", "worker", folder=ROOT)
    run.wait_until(lambda: "ready." in run.log_of("worker-broken"))
    run.upload(make_returns(run.rng, SETS))
    broken = run.processes["worker-broken"]
    run.fault("broken device")
    assert broken.wait(120), run.story()
    run.finish_well()
    assert broken.exit_code() == 1
    events = [line.get("event") for line in run.log_lines("worker-broken")]
    assert events.count("worker_ends") == 1
    assert events.count("set_given_back") <= 3 * DEVICE_BATCH, "it took more than its three batches"


@pytest.mark.scenario("17 model swapped in mid-batch, then rolled back")
@seeds()
def test_a_model_is_swapped(run: System, seed: int) -> None:
    run.start_all(("worker-first",))
    run.upload(make_returns(run.rng, SETS))
    run.behave(model="second", bias=BIAS)
    run.start("worker-second")
    run.wait_until(lambda: len(_models(run)) == 2)
    run.wait_until(lambda: run.verdicts() >= run.rng.randrange(1, 8))
    _activate(run, "second")
    run.finish_well(partial(redness_probability, bias=BIAS))
    before = {row["id"]: row for row in run.tables()["verdict"]}
    _activate(run, "first")
    run.finish_well()
    after = {row["id"]: row for row in run.tables()["verdict"]}
    assert {number: after[number] for number in before} == before
    assert Counter(row["model_id"] for row in after.values()) == dict.fromkeys(_models(run).values(), SETS)


def _models(run: System) -> dict[str, int]:
    return {row["name"]: row["id"] for row in run.tables()["model_version"]}


def _activate(run: System, name: str) -> None:
    engine = make_engine(run.database_url)
    transactions.activate_model(make_sessions(engine), _models(run)[name])
    engine.dispose()
    run.fault(f"model {name} activated")


@pytest.mark.scenario("18 a review during a rescore, and sent twice")
@seeds(quick=True)
def test_people_review_meanwhile(run: System, seed: int, make_system: MakeSystem) -> None:
    """Each review is kept once, is the one that is shown, and comes back from the bucket into an empty database."""
    run.start_all(("worker-first",))
    run.upload(make_returns(run.rng, SETS))
    run.finish_well()
    run.behave(model="second", bias=BIAS)
    run.start("worker-second")
    run.wait_until(lambda: len(_models(run)) == 2)
    _activate(run, "second")
    said = _review_all(run)
    run.finish_well(partial(redness_probability, bias=BIAS))
    stored = {row["idempotency_key"]: row for row in run.tables()["review"]}
    run.figures.counts.update({"reviews submitted": len(said), "reviews stored": len(stored)})
    assert {key: (row["set_id"], row["label"]) for key, row in stored.items()} == said
    shown = {row["set_id"]: (row["label"], row["decided_by"]) for row in run.view("current_verdict")}
    assert shown == {set_id: (label, "person") for set_id, label in said.values()}
    run.scan_again()
    assert run.unstored_reviews() == []
    _lose_the_database(run, make_system("18 restored", seed))


def _lose_the_database(run: System, again: System) -> None:
    """Only the second model is there to judge the sets anew: what was said of the first one's verdicts stands too."""
    for name in list(run.processes):
        run.kill(name)
    again.takes_over(run)
    again.behave(model="second", bias=BIAS)
    again.start_all()
    again.finish_well(partial(redness_probability, bias=BIAS))
    # An empty database counts generations from 1 again; the photos tell which of them a reviewer saw.
    for added, known in ((SETS, 0), (0, SETS)):
        assert again.restore_reviews() == {"added": added, "known": known, "refused": []}
    assert again.reviews() == run.reviews()
    decided_by = [row["decided_by"] for row in again.view("current_verdict")]
    assert decided_by.count("person") == SETS


def _review_all(run: System) -> dict[str, tuple[int, str]]:
    """Review every set while it is scored again, each review sent twice at once by an impatient browser."""
    engine = make_engine(run.database_url, pool_size=8)
    sessions = make_sessions(engine)
    said: dict[str, tuple[int, str]] = {}
    with ThreadPoolExecutor(4) as browsers:
        for verdict in run.tables()["verdict"]:
            label = run.rng.choice(list(Label))
            send = partial(
                transactions.add_review,
                sessions,
                idempotency_key=f"review-{verdict['id']}",
                set_id=verdict["set_id"],
                seen_verdict_id=verdict["id"],
                seen_generation=verdict["generation"],
                label=label,
                reason_code="looked",
                reviewer="ana",
                now=datetime.now(UTC),
            )
            if verdict["set_id"] in {set_id for set_id, _ in said.values()}:
                continue
            first, second = browsers.submit(send), browsers.submit(send)
            assert first.result() == second.result()
            said[f"review-{verdict['id']}"] = (verdict["set_id"], label.value)
            run.fault("review sent twice")
    engine.dispose()
    return said
