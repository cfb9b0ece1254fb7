"""Work on both databases: claimed once, fenced, published until it is done."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.domain import Label, ModelState
from db import queries
from db.models import Queue, Work
from db.session import Sessions
from db.transactions import (
    Finish,
    ReplayRequest,
    WorkKey,
    bury,
    claim,
    due_work,
    finish,
    mark_suspect,
    mark_unpublished,
    open_rescoring,
    release,
    renew,
    replay_work,
)
from tests.photo_sets import (
    EXPIRED,
    LEASE,
    NOW,
    POLICY,
    all_due,
    arrive,
    judge,
    must_claim,
    register,
    scored,
    set_ref,
    stored,
)
from tests.rows import rows, view

REF = set_ref()


@pytest.fixture
def work(sessions: Sessions) -> WorkKey:
    register(sessions)
    return arrive(sessions, REF, stored(REF, "a", "b")).opened[0]


def test_what_is_held_is_not_claimed_again(sessions: Sessions, work: WorkKey) -> None:
    claimed = must_claim(sessions, work)
    assert (claimed.token, claimed.attempts) == (1, 1)
    assert claim(sessions, work, LEASE, 5) is None
    assert renew(sessions, claimed, LEASE)


def test_unknown_work_is_no_claim(sessions: Sessions, work: WorkKey) -> None:
    assert claim(sessions, replace(work, set_id=work.set_id + 99), LEASE, 5) is None
    assert claim(sessions, replace(work, generation=7), LEASE, 5) is None


def test_an_expired_lease_is_taken_over_and_the_late_one_fenced(sessions: Sessions, work: WorkKey) -> None:
    late = must_claim(sessions, work, EXPIRED)
    taken = must_claim(sessions, work)
    assert (taken.token, taken.attempts) == (2, 2)
    assert finish(sessions, late, scored(late, 0.9), POLICY, NOW, 1.0) is Finish.FENCED
    assert not renew(sessions, late, LEASE)
    release(sessions, late, timedelta(0), "late")
    bury(sessions, late, "late")
    mark_suspect(sessions, late, late.photos[0].photo_id)
    assert (rows(sessions, "prediction"), rows(sessions, "verdict")) == ([], [])
    assert finish(sessions, taken, scored(taken), POLICY, NOW, 1.0) is Finish.VERDICT
    assert queries.current_verdicts(sessions)[0].label is Label.CLEAR


def test_a_worker_killer_dies_with_the_last_error(sessions: Sessions, work: WorkKey) -> None:
    for _ in range(3):
        assert claim(sessions, work, EXPIRED, max_attempts=3) is not None
    assert claim(sessions, work, LEASE, max_attempts=3) is None
    assert queries.backlog(sessions).dead == 1
    (status,) = view(sessions, "return_status")
    assert status["status"] == "failed"
    assert "3 workers in a row" in status["last_error"]
    assert all_due(sessions, timedelta(0)) == []


def test_failures_that_someone_lived_to_tell_do_not_count_as_deaths(sessions: Sessions, work: WorkKey) -> None:
    for failures in range(6):
        claimed = claim(sessions, work, LEASE, max_attempts=3)
        assert claimed is not None
        assert (claimed.attempts, claimed.failures) == (1, failures)
        release(sessions, claimed, timedelta(0), "the store was away")


def test_what_was_put_off_is_not_due_before_its_time(sessions: Sessions, work: WorkKey) -> None:
    release(sessions, must_claim(sessions, work), timedelta(hours=1), "the store was away")
    assert claim(sessions, work, LEASE, 5) is None
    assert all_due(sessions, timedelta(0)) == []


def test_the_photo_being_scored_when_a_worker_died_is_suspected(sessions: Sessions, work: WorkKey) -> None:
    dying = must_claim(sessions, work, EXPIRED)
    suspect = dying.photos[1].photo_id
    mark_suspect(sessions, dying, suspect)
    second = must_claim(sessions, work)
    assert (dying.suspect, second.suspect) == (None, suspect)
    release(sessions, second, timedelta(0), "the store was away")
    assert must_claim(sessions, work).suspect is None


def test_the_outbox_is_published_again_until_it_is_answered(sessions: Sessions, work: WorkKey) -> None:
    again = timedelta(hours=1)
    assert all_due(sessions, again) == [], "the ingest's caller has just sent a message"
    assert all_due(sessions, timedelta(0)) == [(work, "classify")]
    assert all_due(sessions, again) == []
    claimed = must_claim(sessions, work, EXPIRED)
    assert all_due(sessions, timedelta(seconds=-1)) == [(work, "classify")], "its worker is gone"
    assert all_due(sessions, again) == []
    assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.VERDICT
    assert all_due(sessions, timedelta(seconds=-1)) == []


def test_the_oldest_work_is_published_first_and_no_more_than_asked(sessions: Sessions, work: WorkKey) -> None:
    later = [arrive(sessions, set_ref(n), stored(set_ref(n), "a")).opened[0] for n in (2, 3)]
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    rescore = open_rescoring(sessions, candidate, 10)
    assert due_work(sessions, Queue.CLASSIFY, 2, timedelta(seconds=-1)) == [work, later[0]]
    everything_due = all_due(sessions, timedelta(seconds=-1))
    first, others = everything_due[:3], everything_due[3:]
    assert first == [(key, "classify") for key in (later[1], work, later[0])], "longest unheard first"
    assert others == [(key, "rescore") for key in rescore]


def test_what_was_given_up_can_be_replayed(sessions: Sessions, work: WorkKey) -> None:
    bury(sessions, must_claim(sessions, work), "the model broke")
    assert claim(sessions, work, LEASE, 5) is None
    assert replay_work(sessions, work, ReplayRequest("ana"))
    assert not replay_work(sessions, work, ReplayRequest("ana"))
    assert all_due(sessions, timedelta(hours=1)) == [(work, "classify")]
    assert judge(sessions, work) is Finish.VERDICT


def test_an_unanswered_message_is_sent_again_after_a_growing_while(sessions: Sessions, work: WorkKey) -> None:
    """2, 4, 8 ... minutes for an interval of 2, half an hour at most; a claim begins anew."""
    for sent in range(1, 8):
        minutes = min(2**sent, 32)
        _let_pass(sessions, timedelta(minutes=minutes, seconds=-5))
        assert all_due(sessions, timedelta(minutes=2)) == [], f"{sent} messages"
        _let_pass(sessions, timedelta(seconds=10))
        assert all_due(sessions, timedelta(minutes=2)) == [(work, "classify")], f"{sent} messages"
    release(sessions, must_claim(sessions, work), timedelta(0), "the store was away")
    assert all_due(sessions, timedelta(minutes=2)) == [(work, "classify")], "its message was taken"


def test_what_was_never_published_comes_before_what_was(sessions: Sessions, work: WorkKey) -> None:
    later = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
    mark_unpublished(sessions, [later])
    assert due_work(sessions, Queue.CLASSIFY, 1, timedelta(seconds=-1)) == [later]
    assert due_work(sessions, Queue.CLASSIFY, 1, timedelta(seconds=-1)) == [work]


def test_what_is_opened_for_rescoring_waits_unpublished(sessions: Sessions, work: WorkKey) -> None:
    judge(sessions, work)
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    opened = open_rescoring(sessions, candidate, 10)
    assert due_work(sessions, Queue.RESCORE, 10, timedelta(hours=1)) == opened


def _let_pass(sessions: Sessions, time: timedelta) -> None:
    with sessions.begin() as session:
        for row in session.scalars(select(Work).where(Work.last_published.is_not(None))):
            assert row.last_published is not None
            row.last_published -= time
