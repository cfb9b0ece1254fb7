"""Scenarios 6 to 10: the broker, the database and the photo store die, hang and lie."""

import os
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.fleet import make_returns
from tests.faults.proxy import Verdict
from tests.faults.seeds import SEEDS, seeds
from tests.faults.store_proxy import SHORT, STALL
from tests.faults.system import System

SETS = 15


@pytest.mark.scenario("6 broker killed with AOF, with none, FLUSHALL")
@seeds()
def test_the_broker_dies(run: System, seed: int) -> None:
    run.behave(pace=0.15)
    run.start_all()
    with run.supervised():
        for number, returns in enumerate(_thirds(run)):
            run.upload(returns)
            down_s = run.rng.uniform(0.0, 3.0)
            if number == 0:
                run.restart_broker(append_only=True, down_s=down_s)
            elif number == 1:
                run.restart_broker(append_only=False, down_s=down_s)
            else:
                run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= SETS)
                run.figures.counts["messages lost"] += run.flush_broker()
            _works_again(run)
        run.finish_well()


@pytest.mark.scenario("27 broker at maxmemory, READONLY, MISCONF")
@seeds()
def test_the_broker_takes_no_writes(run: System, seed: int) -> None:
    """It answers, and refuses: full, a replica after a failover, or with a disk that it cannot save to."""
    run.start_all()
    with run.supervised():
        for (kind, break_it, mend), returns in zip(_refusals(run), _thirds(run), strict=True):
            break_it()
            run.fault(kind)
            run.upload(returns)
            run.wait_until(lambda: run.count("SELECT count(*) FROM photo_set") >= run.figures.sets)
            time.sleep(run.rng.uniform(3.0, 8.0))
            mend()
            run.fault_times[-1] = run.now()
            _works_again(run)
        run.finish_well()


def _refusals(run: System) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Each refusal's name, how it comes about, and how it is mended."""
    client = run.broker.client()
    yield "maxmemory", lambda: client.config_set("maxmemory", "1mb"), lambda: client.config_set("maxmemory", "0")
    yield "READONLY", lambda: client.replicaof("127.0.0.1", "1"), lambda: client.replicaof("NO", "ONE")

    def fail_to_save() -> None:
        shutil.rmtree(run.folder / "valkey")  # the server stands in a folder that is gone
        client.config_set("save", "1 1")
        client.bgsave()
        run.wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")

    yield "MISCONF", fail_to_save, lambda: client.config_set("stop-writes-on-bgsave-error", "no")


@pytest.mark.scenario("7 half-open connections to the broker")
@seeds()
def test_half_open_connections(run: System, seed: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may have a connection vanish without a word")
    run.behave(pace=0.1)
    run.start_all()
    with run.supervised():
        for returns in _thirds(run):
            run.upload(returns, between=lambda _: time.sleep(run.rng.uniform(0, 0.2)))
            run.broker_proxy.lose()
            run.fault("connections lost without a word")
            _works_again(run)
        run.finish_well()


def _thirds(run: System) -> list[list]:  # type: ignore[type-arg]
    returns = make_returns(run.rng, SETS)
    return [returns[start : start + SETS // 3] for start in range(0, SETS, SETS // 3)]


def _works_again(run: System) -> None:
    """All that came so far stands decided within a minute of the fault."""
    run.wait_until(lambda: run.verdicts() >= run.figures.sets, patience_s=60)


@pytest.mark.scenario("8 PostgreSQL immediate stop, down for up to a minute")
@seeds()
def test_the_database_stops(run: System, seed: int) -> None:
    """Photos arrive while it is down; no scan will find them, only their events."""
    run.behave(pace=0.1)
    run.start_all()
    returns = make_returns(run.rng, SETS)
    with run.supervised():
        run.upload(returns[:8])
        run.servers.postgresql.stop_at_once()
        run.fault("PostgreSQL stopped at once")
        try:
            down_until = time.monotonic() + (60 if seed == SEEDS[0] else run.rng.uniform(3, 10))
            run.upload(returns[8:])
            time.sleep(max(0.0, down_until - time.monotonic()))
        finally:
            run.servers.postgresql.start()
        run.fault_times[-1] = run.now()
        run.finish_well()


@pytest.mark.scenario("9 connection cut at COMMIT")
@seeds(quick=True)
def test_commits_are_cut(run: System, seed: int) -> None:
    """Either the server never hears of the COMMIT, or the client never hears that it was done."""
    run.through_database_proxy()
    run.start_all()

    def watch(request: bytes) -> Verdict:
        if b"COMMIT\x00" not in request or run.figures.faults.total() >= 12 or run.rng.random() > 0.12:
            return Verdict.PASS
        unheard = run.rng.random() < 0.5
        run.fault("cut before COMMIT" if unheard else "cut after COMMIT")
        return Verdict.DROP if unheard else Verdict.CUT

    run.database_proxy.watch_requests = watch
    with run.supervised():
        run.upload(make_returns(run.rng, SETS))
        run.finish_well()
    assert run.figures.faults.total() > 0


@pytest.mark.scenario("10 S3: 503, time-outs, short bodies, wrong ETag")
@seeds()
def test_the_store_lies(run: System, seed: int) -> None:
    store = run.through_faulty_store()
    run.start_all()
    store.share = 0.25
    with run.supervised():
        run.upload(make_returns(run.rng, SETS))
        run.wait_until(lambda: store.counts.total() >= 25 or run.verdicts() >= SETS)
        store.share = 0.0
        for kind, count in store.counts.items():
            run.fault(kind, count)
        run.finish_well()
    assert store.counts.total() > 0
    assert {STALL, SHORT} <= set(store.kinds)
