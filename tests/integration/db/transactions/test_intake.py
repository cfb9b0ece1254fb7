"""What a listing shows is recorded on both databases; the same again changes nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from core.completeness import Completeness
from core.domain import AbsenceReason, ClosedBy, Label, ModelState
from db import queries
from db.session import Sessions
from db.transactions import (
    WorkKey,
    activate_model,
    claim,
    open_rescoring,
    sets_due,
)
from tests.photo_sets import (
    BUCKET,
    LEASE,
    NOW,
    OPEN,
    arrive,
    content,
    judge,
    manifest_of,
    must_claim,
    register,
    set_ref,
    stored,
)
from tests.rows import everything, rows

REF = set_ref()


def test_a_complete_set_opens_work_for_the_active_model(sessions: Sessions) -> None:
    model = register(sessions)
    outcome = arrive(sessions, REF, stored(REF, "b", "a"))
    assert outcome.changed
    assert outcome.opened == (WorkKey(outcome.set_id, model, 1),)
    claimed = must_claim(sessions, outcome.opened[0])
    assert (claimed.ref, claimed.bucket, claimed.closed_by) == (REF, BUCKET, ClosedBy.MARKER)
    assert [photo.etag for photo in claimed.photos] == ["a-1", "b-1"]


@pytest.mark.parametrize(
    "complete", [Completeness(ClosedBy.QUIET), OPEN, Completeness(ClosedBy.DEADLINE, missing=("x",))]
)
def test_the_same_again_changes_no_row(sessions: Sessions, complete: Completeness) -> None:
    register(sessions)
    arrive(sessions, REF, stored(REF, "a", "b"), complete)
    arrive(sessions, REF, stored(REF, "a"), complete)  # one is absent now
    before = everything(sessions)
    outcome = arrive(sessions, REF, stored(REF, "a"), complete)
    assert not outcome.changed
    assert outcome.opened == ()
    assert everything(sessions) == before


def test_a_new_photo_makes_the_next_generation_and_the_old_verdict_stays(sessions: Sessions) -> None:
    register(sessions)
    first = arrive(sessions, REF, stored(REF, "a"))
    judge(sessions, first.opened[0])
    old = rows(sessions, "verdict")
    second = arrive(sessions, REF, stored(REF, "a", "b"), now=NOW + timedelta(hours=1))
    assert (second.generation, second.changed, len(second.opened)) == (2, True, 1)
    judge(sessions, second.opened[0], probability=0.9)
    assert rows(sessions, "verdict")[:1] == old
    (current,) = queries.current_verdicts(sessions)
    assert (current.generation, current.label, current.photos) == (2, Label.DAMAGED, 2)


def test_an_overwritten_photo_is_another_row_and_the_old_one_is_kept(sessions: Sessions) -> None:
    register(sessions)
    arrive(sessions, REF, stored(REF, "a"))
    outcome = arrive(sessions, REF, stored(REF, "a", version="2"))
    assert outcome.generation == 2
    with sessions() as session:
        kept = session.execute(text("SELECT etag, superseded FROM photo ORDER BY id")).all()
    assert [(etag, bool(superseded)) for etag, superseded in kept] == [("a-1", True), ("a-2", False)]


def test_a_photo_is_gone_only_when_it_was_missed_twice_and_is_proved_gone(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    arrive(sessions, REF, [a, b])
    first = arrive(sessions, REF, [a])
    second = arrive(sessions, REF, [a])
    assert (first.missing, second.missing) == ((), (b.key,))
    assert (first.changed, second.changed) == (False, False)
    third = arrive(sessions, REF, [a], gone=[b.key])
    assert (third.generation, third.changed, third.missing) == (2, True, ())
    photos = must_claim(sessions, third.opened[0]).photos
    assert {photo.object_key: photo.gone_reason for photo in photos} == {a.key: None, b.key: AbsenceReason.VANISHED}
    assert arrive(sessions, REF, [a], gone=[b.key]).generation == 2, "it is gone once"


def test_a_photo_that_a_listing_missed_once_is_forgiven(sessions: Sessions) -> None:
    a, b = stored(REF, "a", "b")
    arrive(sessions, REF, [a, b])
    arrive(sessions, REF, [a])
    assert arrive(sessions, REF, [a, b]).generation == 1
    assert arrive(sessions, REF, [a]).missing == ()


def test_another_manifest_makes_the_next_generation(sessions: Sessions) -> None:
    register(sessions)
    photos = stored(REF, "a", "b")
    closed = Completeness(ClosedBy.MANIFEST)
    arrive(sessions, REF, photos, closed, manifest_of(photos[:1]))
    outcome = arrive(sessions, REF, photos, closed, manifest_of(photos))
    assert outcome.generation == 2
    assert must_claim(sessions, outcome.opened[0]).manifest == {photo.key: content(photo.key) for photo in photos}


def test_a_stronger_rule_replaces_a_weaker_one_before_there_is_a_verdict(sessions: Sessions) -> None:
    register(sessions)
    photos = stored(REF, "a")
    arrive(sessions, REF, photos, Completeness(ClosedBy.QUIET))
    stronger = arrive(sessions, REF, photos, Completeness(ClosedBy.COUNT))
    weaker = arrive(sessions, REF, photos, Completeness(ClosedBy.DEADLINE))
    assert (stronger.generation, stronger.closed_by) == (1, ClosedBy.COUNT)
    assert (weaker.generation, weaker.closed_by) == (1, ClosedBy.COUNT)


@pytest.mark.parametrize(
    ("old", "generation", "closed_by"),
    [
        (ClosedBy.DEADLINE, 2, ClosedBy.MARKER),
        (ClosedBy.QUIET, 2, ClosedBy.MARKER),
        (ClosedBy.COUNT, 1, ClosedBy.COUNT),
    ],
)
def test_a_stronger_rule_never_changes_what_a_verdict_was_made_from(
    sessions: Sessions, old: ClosedBy, generation: int, closed_by: ClosedBy
) -> None:
    register(sessions)
    photos = stored(REF, "a")
    judge(sessions, arrive(sessions, REF, photos, Completeness(old)).opened[0])
    outcome = arrive(sessions, REF, photos)
    assert (outcome.generation, outcome.closed_by) == (generation, closed_by)


def test_an_open_set_is_due_at_its_time_and_not_before(sessions: Sessions) -> None:
    register(sessions)
    arrive(sessions, REF, stored(REF, "a"), OPEN)
    assert sets_due(sessions, NOW + timedelta(minutes=9, seconds=59), 10) == []
    assert sets_due(sessions, NOW + timedelta(minutes=10), 10) == [REF.set_key]
    closed = arrive(sessions, REF, stored(REF, "a"), Completeness(ClosedBy.QUIET))
    assert (closed.generation, len(closed.opened)) == (1, 1)
    assert sets_due(sessions, NOW + timedelta(days=1), 10) == []


def test_work_on_older_content_is_closed_without_a_verdict(sessions: Sessions) -> None:
    register(sessions)
    old = arrive(sessions, REF, stored(REF, "a")).opened[0]
    arrive(sessions, REF, stored(REF, "a", "b"))
    assert claim(sessions, old, LEASE, 5) is None
    assert queries.backlog(sessions).pending == 1
    assert rows(sessions, "verdict") == []


def test_without_an_active_model_work_waits_for_one(sessions: Sessions) -> None:
    candidate = register(sessions, state=ModelState.CANDIDATE)
    assert arrive(sessions, REF, stored(REF, "a")).opened == ()
    activate_model(sessions, candidate)
    assert len(open_rescoring(sessions, candidate, 10)) == 1


def test_a_naive_time_is_refused(sessions: Sessions) -> None:
    with pytest.raises(Exception, match="no time zone"):
        arrive(sessions, REF, stored(REF, "a"), now=NOW.replace(tzinfo=None))
    assert rows(sessions, "photo_set") == []
