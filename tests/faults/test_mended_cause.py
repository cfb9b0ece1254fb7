"""A cause is mended, and what it spoilt is scored again by `walkaround replay`: nothing has to be uploaded again."""

import pytest

from core.domain import LoadedPhoto, ViewPlan
from core.errors import PhotoRefused, Refusal
from tests.faults.classifier import Behaviour
from tests.faults.fleet import make_returns
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 10


def refuse_good_photos(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """A decoder with a fault that takes every photo for a truncated one."""
    raise PhotoRefused(Refusal.TRUNCATED)


@pytest.mark.scenario("26 a cause is mended, and what it spoilt is replayed")
@seeds(quick=True)
def test_a_mended_cause(run: System, seed: int) -> None:
    run.behave(decoder="tests.faults.test_mended_cause:refuse_good_photos")
    run.start_all()
    returns = make_returns(run.rng, SETS)
    run.upload(returns)
    run.wait_until(lambda: run.verdicts() == SETS)
    before = {row["id"]: row for row in run.tables()["verdict"]}
    assert {row["label"] for row in before.values()} == {"undecided"}
    run.stop("worker")
    run.behave(decoder=Behaviour().decoder)
    run.start("worker")
    said = run.command("replay", "--dry-run", "--reason", "truncated")
    assert said.count("would be due again") == SETS
    first = run.rng.choice(returns)
    run.command("replay", first.set_key, "--why", "decoder mended")
    assert [row["photos"] for row in run.view("replay")] == [len(first.photos)]
    run.kill("worker")
    run.start("worker")
    run.command("replay", "--reason", "truncated", "--why", "decoder mended")
    assert len(run.view("replay")) == SETS
    run.ledger.changes |= {item.set_key: 1 for item in returns}
    run.finish_well()
    after = {row["id"]: row for row in run.tables()["verdict"]}
    assert {number: after[number] for number in before} == before
    run.fault("cause mended")
