"""The same transactions under real concurrency on PostgreSQL: sixteen threads, retries counted."""

import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine

from core.domain import Label
from core.errors import DatabaseUnavailable
from db import transactions
from db.session import Sessions, make_sessions
from db.transactions import Claim, Finish, WorkKey
from tests.faults import figures
from tests.faults.ledger_of_rows import doubled, finish_everything, frozen_rows, rows, undecided
from tests.faults.seeds import seeds
from tests.faults.system import Figures
from tests.photo_sets import LEASE, NOW, POLICY, all_due, arrive, register, scored, set_ref, stored

THREADS = 16
SETS = 15
STEPS = int(os.environ.get("FAULTS_STEPS", "25"))


class Actor:
    """One thread: does whatever comes to its mind, and remembers what it was told."""

    def __init__(self, sessions: Sessions, models: list[int], rng: random.Random) -> None:
        self._sessions = sessions
        self._models = models
        self._rng = rng
        self._claims: list[Claim] = []
        self.outcomes: Counter[Finish] = Counter()
        self.reviews: dict[str, tuple[int, str]] = {}
        self.given_up = 0

    def act(self, steps: int) -> None:
        """So many transactions, any of them at any time."""
        actions = [
            self.upload,
            self.claim,
            self.claim,
            self.finish,
            self.finish,
            self.review,
            self.reconcile,
            self.swap,
        ]
        weights = [3, 4, 4, 4, 4, 2, 2, 1]
        for _ in range(steps):
            try:
                self._rng.choices(actions, weights)[0]()
            except DatabaseUnavailable:  # other transactions kept getting in the way: a caller tries again later
                self.given_up += 1

    def upload(self) -> None:
        """Look at a set, as it is or with another version of a photo."""
        ref = set_ref(self._rng.randint(1, SETS))
        version = str(self._rng.choices([1, 2], [9, 1])[0])
        arrive(self._sessions, ref, [*stored(ref, "a", "b"), *stored(ref, "c", version=version)])

    def claim(self) -> None:
        """Claim whatever set comes to mind."""
        work = WorkKey(self._rng.randint(1, SETS), self._rng.choice(self._models), self._rng.randint(1, 3))
        if claimed := transactions.claim(self._sessions, work, LEASE, 1000):
            self._claims.append(claimed)

    def finish(self) -> None:
        """Finish something claimed; all sets hold the same few contents, each in an order of its own."""
        if self._claims:
            claimed = self._claims.pop(self._rng.randrange(len(self._claims)))
            results = self._rng.sample(scored(claimed), len(claimed.photos))
            shared = [replace(result, content_sha256=f"{result.photo_id % 4:064x}") for result in results]
            self.outcomes[transactions.finish(self._sessions, claimed, shared, POLICY, NOW, 0.1)] += 1

    def review(self) -> None:
        """Review a set, twice with one key."""
        set_id, label = self._rng.randint(1, SETS), self._rng.choice(list(Label))
        key = f"{self._rng.getrandbits(64):x}"
        for _ in range(2):
            transactions.add_review(
                self._sessions,
                idempotency_key=key,
                set_id=set_id,
                seen_verdict_id=None,
                seen_generation=1,
                label=label,
                reason_code="looked",
                reviewer="ana",
                now=NOW,
            )
        self.reviews[key] = (set_id, label.value)

    def reconcile(self) -> None:
        """Publish what is due, and let all leases run out now and then."""
        all_due(self._sessions, timedelta(0))
        if self._rng.random() < 0.2:
            transactions.end_leases(self._sessions)

    def swap(self) -> None:
        """Make a model the active one and open its work."""
        model = self._rng.choice(self._models)
        transactions.activate_model(self._sessions, model)
        transactions.open_rescoring(self._sessions, model, 100)


@seeds(quick=True)
def test_sixteen_threads(
    seed: int, postgresql_url: str, make_test_engine: Callable[..., Engine], caplog: pytest.LogCaptureFixture
) -> None:
    sessions = make_sessions(make_test_engine(postgresql_url, pool_size=THREADS))
    models = [register(sessions, name) for name in ("first", "second")]
    for number in range(1, SETS + 1):
        arrive(sessions, set_ref(number), stored(set_ref(number), "a", "b", "c"))
    actors = [Actor(sessions, models, random.Random(f"{seed} {number}")) for number in range(THREADS)]
    barrier = Barrier(THREADS)

    def act(actor: Actor) -> None:
        barrier.wait()
        actor.act(STEPS)

    with caplog.at_level(logging.INFO, logger="db.session"), ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(act, actors))
    history = frozen_rows(sessions)
    finish_everything(sessions, 1000)
    assert undecided(sessions) == []
    assert doubled(sessions) == []
    now = frozen_rows(sessions)
    assert {key: now.get(key) for key in history} == history
    said = {key: review for actor in actors for key, review in actor.reviews.items()}
    assert {row["idempotency_key"]: (row["set_id"], row["label"]) for row in rows(sessions, "review")} == said
    made = Figures("21 transactions of sixteen threads at once (PostgreSQL)", seed, sets=SETS)
    made.faults["transaction"] = THREADS * STEPS
    made.faults["conflict retried"] = sum("met another one" in record.getMessage() for record in caplog.records)
    made.faults["conflict given back"] = sum(actor.given_up for actor in actors)
    outcomes = sum((actor.outcomes for actor in actors), Counter[Finish]())
    made.counts.update({"fenced": outcomes[Finish.FENCED], "lost": 0, "doubled": 0, "wrong": 0, "changed": 0})
    made.counts.update({"reviews submitted": len(said), "reviews stored": len(rows(sessions, "review"))})
    figures.write(made)
