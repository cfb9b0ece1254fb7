"""Scenarios 1, 2, 3, 5, 15 and 16: our own processes are killed, frozen, doubled, or have a wrong clock."""

import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.fleet import make_returns
from tests.faults.nursery import ROOT
from tests.faults.proxy import Verdict
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15


@pytest.mark.scenario("1 kill -9 a decode child in mid-photo")
@seeds()
def test_decode_children_die(run: System, seed: int) -> None:
    run.start_all()
    worker = run.processes["worker"]

    def kill_a_decoder(number: int) -> None:
        if worker.kill_a_child(run.rng):
            run.fault("kill -9 decoder")

    run.upload(make_returns(run.rng, SETS), kill_a_decoder)
    run.finish_well()
    assert worker.is_alive


@pytest.mark.scenario("2 kill -9 the worker in mid-batch, many times")
@seeds(quick=True)
def test_workers_die(run: System, seed: int) -> None:
    """Every other kill comes at the worst moment: a message has left the broker and never reaches the worker."""
    run.configure(lease=3)
    run.behave(pace=0.2)
    run.start_all()
    run.upload(make_returns(run.rng, SETS))
    for number in range(5):
        if number % 2 == 0:
            run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= SETS)
            run.kill("worker")
        else:
            kill_with_a_message_in_flight(run)
        run.start("worker")
    run.finish_well()


def kill_with_a_message_in_flight(run: System) -> None:
    """The broker has given a message away; the worker dies before it reads it."""
    lost: list[bytes] = []

    def watch(reply: bytes) -> Verdict:
        if b"walkaround.classify" not in reply or lost:
            return Verdict.PASS
        lost.append(reply)
        run.processes["worker"].send(signal.SIGKILL)
        return Verdict.DROP

    run.broker_proxy.watch_replies = watch
    run.wait_until(lambda: bool(lost) or run.verdicts() >= run.figures.sets)
    run.broker_proxy.watch_replies = None
    run.figures.counts["messages lost"] += len(lost)
    run.kill("worker")


@pytest.mark.scenario("3 freeze a worker past its lease, then thaw it")
@seeds()
def test_frozen_workers_are_fenced(run: System, seed: int) -> None:
    run.behave(pace=0.4)
    run.start_all(("worker-1",))
    run.upload(make_returns(run.rng, SETS))
    freeze_past_its_lease(run)
    run.wait_until(lambda: run.fenced() > 0, patience_s=60)
    run.finish_well()


def freeze_past_its_lease(run: System) -> int:
    """Freeze worker-1 with sets in hand until worker-2 has taken all of them over; how many it had finished by then."""
    run.wait_until(lambda: run.leased() > 0)
    frozen = run.processes["worker-1"]
    frozen.send(signal.SIGSTOP)
    run.fault("SIGSTOP worker")
    in_hand = _tokens_of_leases(run)
    finished = run.finished_by("worker-1")
    run.start("worker-2")
    run.wait_until(lambda: not in_hand & _tokens_of_leases(run))
    frozen.send(signal.SIGCONT)
    return finished


def _tokens_of_leases(run: System) -> set[tuple[int, int]]:
    return {(row["set_id"], row["token"]) for row in run.tables()["work"] if row["state"] == "leased"}


@pytest.mark.scenario("5 SIGTERM, then SIGKILL before the end")
@seeds()
def test_a_short_grace(run: System, seed: int) -> None:
    run.behave(pace=1.0)
    run.start_all(("worker-0",))
    run.upload(make_returns(run.rng, SETS))
    for number in range(1, 4):
        run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= SETS)
        run.stop(f"worker-{number - 1}", grace_s=run.rng.uniform(0.1, 2.0) if number < 3 else 10.0)
        run.start(f"worker-{number}")
    run.behave(pace=0.05)
    run.finish_well()


@pytest.fixture(scope="session")
def skewed_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that moves the wall clock of the process it is loaded into."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here, so no process can be given a wrong clock")
    library = tmp_path_factory.mktemp("clock") / "skewed_clock.so"
    source = Path(__file__).with_name("skewed_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.scenario("15 clock two hours off on one worker")
@seeds()
def test_a_wrong_clock_steals_no_lease(run: System, seed: int, skewed_clock: Path) -> None:
    hours = 2 if seed % 2 else -2
    run.configure(lease=20)
    run.behave(pace=0.3)
    run.start_all()
    wrong = {"LD_PRELOAD": str(skewed_clock), "CLOCK_OFFSET_SECONDS": str(hours * 3600)}
    run.start_fresh("worker-wrong", "worker", folder=ROOT, environment=wrong)
    run.wait_until(lambda: "ready." in run.log_of("worker-wrong"))
    run.fault(f"clock {hours:+} h")
    run.upload(make_returns(run.rng, SETS))
    run.finish_well()
    stamps = [row["timestamp"] for row in run.log_lines("worker-wrong") if "timestamp" in row]
    off = datetime.fromisoformat(stamps[-1]) - datetime.now(UTC)
    assert abs(off.total_seconds()) > 3600, "its clock was right"
    taken_twice = [row["set_id"] for row in run.tables()["work"] if row["token"] != 1]
    assert taken_twice == [], "a lease was stolen"


@pytest.mark.scenario("16 two beats, two scanners")
@seeds()
def test_two_of_each(run: System, seed: int) -> None:
    """Two beats, two consumers, two workers, and fleet scans asked for twice at once."""
    run.start_all(("worker-1", "worker-2"))
    run.start("beat-2")
    run.start("consume-2")
    run.fault("second beat")
    returns = make_returns(run.rng, SETS)
    run.upload(returns[:8])
    for task in ("walkaround.nightly_scan", "walkaround.reconcile") * 2:
        run.forget_scans()
        run.send(task, "intake")
        run.send(task, "intake")
        run.fault("doubled tick", 1)
    run.upload(returns[8:])
    run.finish_well()
    assert len(run.tables()["work"]) == SETS
