"""Which sets a model version is asked for, on both databases."""

from datetime import timedelta

from core.domain import ModelState
from db import queries
from db.session import Sessions
from db.transactions import (
    activate_model,
    open_rescoring,
)
from tests.photo_sets import (
    OPEN,
    all_due,
    arrive,
    judge,
    register,
    set_ref,
    stored,
)
from tests.rows import rows

REF = set_ref()


def test_rescoring_opens_in_batches_until_all_are_asked(sessions: Sessions) -> None:
    register(sessions)
    for number in range(1, 6):
        judge(sessions, arrive(sessions, set_ref(number), stored(set_ref(number), "a")).opened[0])
    arrive(sessions, set_ref(6), stored(set_ref(6), "a"), OPEN)
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    batches = [open_rescoring(sessions, candidate, 2) for _ in range(4)]
    assert [len(batch) for batch in batches] == [2, 2, 1, 0]
    assert len({key.set_id for batch in batches for key in batch}) == 5


def test_a_swap_and_a_roll_back_leave_old_verdicts_and_lose_no_work(sessions: Sessions) -> None:
    first = register(sessions)
    judge(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    waiting = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
    before = rows(sessions, "verdict")
    second = register(sessions, "second", ModelState.CANDIDATE)
    activate_model(sessions, second)
    assert all_due(sessions, timedelta(seconds=-1)) == [], "the retired model's work waits"
    opened = open_rescoring(sessions, second, 10)
    assert [(key.set_id, queue) for key, queue in all_due(sessions, timedelta(seconds=-1))] == [
        (opened[1].set_id, "classify"),  # nobody has judged this one
        (opened[0].set_id, "rescore"),
    ]
    judge(sessions, opened[0], 0.9)
    assert rows(sessions, "verdict")[:1] == before
    activate_model(sessions, first)
    assert [row.model_id for row in queries.current_verdicts(sessions)] == [first]
    assert all_due(sessions, timedelta(seconds=-1)) == [(waiting, "classify")]
