"""The database itself guards history, on both databases."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core.domain import ModelState
from db.history import INSERT_ONLY
from db.session import Sessions
from db.transactions import (
    ReplayRequest,
    WorkKey,
    add_review,
    bury,
    replay_work,
)
from tests.photo_sets import (
    arrive,
    judge,
    must_claim,
    register,
    review,
    set_ref,
    stored,
)
from tests.rows import rows

REF = set_ref()


@pytest.fixture
def reviewed(sessions: Sessions) -> Sessions:
    register(sessions)
    work = arrive(sessions, REF, stored(REF, "a")).opened[0]
    judge(sessions, work)
    add_review(sessions, **review(work.set_id, 1))
    bury(sessions, must_claim(sessions, arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]), "broken")
    replay_work(sessions, WorkKey(work.set_id + 1, work.model_id, 1), ReplayRequest("ana"))
    return sessions


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET created_at = created_at", "DELETE FROM {}"])
def test_the_database_refuses_to_change_it(reviewed: Sessions, table: str, change: str) -> None:
    before = rows(reviewed, table)
    with pytest.raises(IntegrityError, match=f"{table} is insert-only"), reviewed.begin() as session:
        session.execute(text(change.format(table)))
    assert rows(reviewed, table) == before != []


def test_the_database_itself_refuses_a_second_active_version(sessions: Sessions) -> None:
    register(sessions)
    register(sessions, "second", ModelState.CANDIDATE)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text("UPDATE model_version SET state = 'active'"))
