"""When work is due, on both databases and by their own clocks."""

from datetime import timedelta

from sqlalchemy import select

from db.due import is_due
from db.models import Work
from db.session import Sessions
from db.transactions import bury, end_leases, release
from tests.photo_sets import EXPIRED, arrive, judge, must_claim, register, set_ref, stored


def due(sessions: Sessions) -> bool:
    with sessions() as session:
        return bool(session.scalars(select(Work).where(is_due())).all())


def test_work_is_due_while_nobody_is_at_it(sessions: Sessions) -> None:
    register(sessions)
    work = arrive(sessions, set_ref(), stored(set_ref(), "a")).opened[0]
    assert due(sessions), "it waits"
    must_claim(sessions, work)
    assert not due(sessions), "a worker has it"
    end_leases(sessions)
    assert due(sessions), "and let its lease expire"
    release(sessions, must_claim(sessions, work), timedelta(hours=1), "the store was away")
    assert not due(sessions), "it pauses"


def test_what_is_done_or_given_up_is_not_due(sessions: Sessions) -> None:
    register(sessions)
    judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0])
    given_up = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
    bury(sessions, must_claim(sessions, given_up, EXPIRED), "a bug")
    assert not due(sessions)
