"""All of it mixed, for as long as one likes: `make soak MINUTES=60`."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.fleet import Return, make_photo, make_returns
from tests.faults.seeds import seeds
from tests.faults.store_proxy import BUSY, CUT_DOWN, SHORT, WRONG_ETAG
from tests.faults.system import System

MINUTES = float(os.environ.get("FAULTS_SOAK_MINUTES", "0.5"))
# The database keeps every row and the checker reads them all: beyond this many sets faults go on without new ones.
MOST_SETS = 3000


class Mischief:
    """A system, and what may happen to it at any moment."""

    def __init__(self, run: System) -> None:
        self._run = run
        self._rng = run.rng
        self._returns = iter(make_returns(run.rng, MOST_SETS, manifests=0.2))
        self._there: list[Return] = []
        self._store = run.through_faulty_store()
        self._store.kinds = (BUSY, SHORT, CUT_DOWN, WRONG_ETAG)

    def act(self) -> None:
        """Do one thing, uploads most often."""
        self._rng.choices(self._actions(), [8, 2, 2, 1, 2, 1, 1, 1, 2, 2])[0]()

    def heal(self) -> None:
        """Let things calm down."""
        self._store.share = 0.0
        for kind, count in self._store.counts.items():
            self._run.fault(kind, count)

    def _actions(self) -> list[Callable[[], object]]:
        run = self._run
        return [
            self._upload,
            self._kill_worker,
            self._kill_decoder,
            self._end_worker,
            self._freeze_worker,
            lambda: run.restart_broker(append_only=self._rng.random() < 0.5, down_s=self._rng.uniform(0, 1)),
            run.flush_broker,
            self._stop_database,
            self._store_fails,
            self._late_photo,
        ]

    def _upload(self) -> None:
        if (item := next(self._returns, None)) is not None:
            self._there.append(item)
            self._run.upload([item])

    def _kill_worker(self) -> None:
        self._run.kill("worker-1")
        self._run.start("worker-1")

    def _kill_decoder(self) -> None:
        if self._run.processes["worker-2"].kill_a_child(self._rng):
            self._run.fault("kill -9 decoder")

    def _end_worker(self) -> None:
        self._run.stop("worker-1", grace_s=self._rng.uniform(0.2, 20))
        self._run.start("worker-1")

    def _freeze_worker(self) -> None:
        frozen = self._run.processes["worker-2"]
        frozen.send(signal.SIGSTOP)
        self._run.fault("SIGSTOP worker")
        time.sleep(self._rng.uniform(0.5, 6))
        frozen.send(signal.SIGCONT)

    def _stop_database(self) -> None:
        self._run.servers.postgresql.stop_at_once()
        self._run.fault("PostgreSQL stopped at once")
        time.sleep(self._rng.uniform(0, 2))
        self._run.servers.postgresql.start()

    def _store_fails(self) -> None:
        self._store.share = self._rng.choice((0.0, 0.1, 0.3))

    def _late_photo(self) -> None:
        markers = [item for item in self._there if not item.has_manifest]
        if markers:
            item = self._rng.choice(markers)
            changes = self._run.ledger.changes
            changes[item.set_key] = changes.get(item.set_key, 0) + 1
            self._run.put(f"{item.set_key}late-{changes[item.set_key]}.jpg", make_photo(self._rng))
            self._run.fault("photo late")


@pytest.mark.scenario("22 all of it mixed")
@pytest.mark.timeout(60 * MINUTES + 900)
@seeds()
def test_mixed(run: System, seed: int) -> None:
    run.behave(pace=0.05)
    mischief = Mischief(run)
    run.start_all(("worker-1", "worker-2"))
    end = time.monotonic() + 60 * MINUTES
    with run.supervised():
        while time.monotonic() < end:
            mischief.act()
            time.sleep(run.rng.uniform(0, 0.5))
        mischief.heal()
        run.finish_well()
