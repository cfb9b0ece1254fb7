"""Many threads and processes on one database: each set gets one verdict, whoever wins."""

import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from db import queries
from db.session import Sessions, make_engine, make_sessions, transaction
from db.transactions import Finish, WorkKey, activate_first_model, claim, finish, open_rescoring
from tests.photo_sets import BUCKET, LEASE, NOW, POLICY, arrive, must_claim, register, scored, set_ref, stored

THREADS = 16
Answer = TypeVar("Answer")


@pytest.fixture
def many_sessions(database_url: str, make_test_engine: Callable[..., Engine]) -> Sessions:
    return make_sessions(make_test_engine(database_url, pool_size=THREADS))


def together(threads: int, step: Callable[[int], Answer]) -> list[Answer]:
    """Run `step(0)` to `step(threads - 1)` at the same moment."""
    barrier = Barrier(threads)

    def run(number: int) -> Answer:
        barrier.wait()
        return step(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_of_many_claims_at_once_one_holds(many_sessions: Sessions) -> None:
    register(many_sessions)
    for number in range(1, 6):
        work = arrive(many_sessions, set_ref(number), stored(set_ref(number), "a")).opened[0]
        claims = together(8, lambda _: claim(many_sessions, work, LEASE, 5))  # noqa: B023  (called at once)
        assert sum(found is not None for found in claims) == 1


def test_of_many_finishes_at_once_one_counts(many_sessions: Sessions) -> None:
    register(many_sessions)
    claimed = must_claim(many_sessions, arrive(many_sessions, set_ref(), stored(set_ref(), "a", "b")).opened[0])
    outcomes = together(8, lambda _: finish(many_sessions, claimed, scored(claimed), POLICY, NOW, 1.0))
    assert Counter(outcomes) == {Finish.VERDICT: 1, Finish.FENCED: 7}


def test_the_same_event_many_times_at_once_makes_one_generation(many_sessions: Sessions) -> None:
    register(many_sessions)
    outcomes = together(8, lambda _: arrive(many_sessions, set_ref(), stored(set_ref(), "a", "b")))
    assert {outcome.generation for outcome in outcomes} == {1}
    assert sum(len(outcome.opened) for outcome in outcomes) == 1


def test_sixteen_workers_share_the_work_and_do_all_of_it_once(many_sessions: Sessions) -> None:
    """Sets share photo contents, photos arrive and a model is rescored meanwhile; claims are fought over."""
    model = register(many_sessions)
    listings = {number: stored(set_ref(number), "a", "b", "c") for number in range(1, 25)}
    works = [arrive(many_sessions, set_ref(number), listing).opened[0] for number, listing in listings.items()]

    def worker(number: int) -> None:
        for work in works[number:] + works[:number]:
            _score(many_sessions, work)
        if number % 4 == 0:
            late = number // 4 + 1
            outcome = arrive(many_sessions, set_ref(late), [*listings[late], *stored(set_ref(late), "late")])
            for work in outcome.opened:
                _score(many_sessions, work)
        open_rescoring(many_sessions, model, 100)

    together(THREADS, worker)
    current = queries.current_verdicts(many_sessions)
    assert len(current) == len(listings)
    assert {row.set_key: row.generation for row in current} == {
        set_ref(number).set_key: 2 if number <= 4 else 1 for number in listings
    }
    assert queries.backlog(many_sessions) == queries.Backlog(0, 0, 0, None)
    with many_sessions() as session:
        doubled = session.execute(
            text("SELECT set_id FROM verdict GROUP BY set_id, generation, model_id HAVING count(*) > 1")
        ).all()
    assert doubled == []


def _score(sessions: Sessions, work: WorkKey) -> None:
    """Score as if all sets held the same three or four contents, each set in an order of its own."""
    claimed = claim(sessions, work, LEASE, 5)
    if claimed is None:
        return
    results = deque(scored(claimed))
    results.rotate(work.set_id)
    shared = [replace(result, content_sha256=f"{index:064x}") for index, result in enumerate(results)]
    finish(sessions, claimed, shared, POLICY, NOW, 0.1)


def test_a_worker_starts_while_another_hangs_in_mid_verdict(
    postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> None:
    """A frozen process keeps its transaction open, with a verdict in it; nobody else may have to wait for it."""
    engine = make_test_engine(postgresql_url)
    sessions = make_sessions(engine)
    model = register(sessions)
    arrive(sessions, set_ref(), stored(set_ref(), "a"))
    with engine.connect() as frozen:
        frozen.execute(
            text(
                "INSERT INTO prediction (content_sha256, model_id, probability, logit, created_at) "
                "VALUES ('c', :model, 0.5, 0, now())"
            ),
            {"model": model},
        )
        assert not activate_first_model(sessions, register(sessions))


def test_a_deadlock_is_tried_again(postgresql_url: str, make_test_engine: Callable[..., Engine]) -> None:
    sessions = make_sessions(make_test_engine(postgresql_url))
    arrive(sessions, set_ref(1), [])
    arrive(sessions, set_ref(2), [])
    barrier = Barrier(2)
    runs: Counter[int] = Counter()

    @transaction
    def lock_both(session: Session, first: int, second: int) -> None:
        runs[first] += 1
        lock = text("SELECT 1 FROM photo_set WHERE id = :id FOR UPDATE")
        session.execute(lock, {"id": first})
        if runs[first] == 1:
            barrier.wait()
        session.execute(lock, {"id": second})

    together(2, lambda number: lock_both(sessions, *((1, 2) if number else (2, 1))))
    assert sum(runs.values()) == 3, "one of the two was chosen by the database to begin again"


_PROCESS = """
import sys
from db.session import make_engine, make_sessions
from tests.photo_sets import arrive, set_ref, stored
sessions = make_sessions(make_engine(sys.argv[1]))
for number in range(1, 21):
    arrive(sessions, set_ref(number), stored(set_ref(number), "a"))
"""


def test_several_processes_write_at_once(database_url: str, make_test_engine: Callable[..., Engine]) -> None:
    register(make_sessions(make_test_engine(database_url)))
    running = [
        subprocess.Popen([sys.executable, "-c", _PROCESS, database_url], stderr=subprocess.PIPE) for _ in range(2)
    ]
    errors = [process.communicate(timeout=200)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    engine = make_engine(database_url)
    rows = list(queries.set_rows(make_sessions(engine), BUCKET, ""))
    engine.dispose()
    assert [row.generation for row in rows] == [1] * 20
