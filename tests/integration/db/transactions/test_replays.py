"""What was given up or refused is scored again as a new generation, on both databases; history stays."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from core.domain import Label, ModelState, PhotoStatus
from db import queries
from db.queries import Replayable, ReplayFilter
from db.session import Sessions
from db.transactions import (
    Finish,
    IngestOutcome,
    ReplayRequest,
    WorkKey,
    add_review,
    bury,
    open_rescoring,
    replay_photos,
    replay_work,
)
from tests.photo_sets import (
    BUCKET,
    OPEN,
    all_due,
    arrive,
    judge,
    must_claim,
    register,
    review,
    set_ref,
    stored,
)
from tests.rows import everything, rows

REF = set_ref()
KEY = f"{REF.set_key}b.jpg"
ANA = ReplayRequest("ana", "the limit was raised")


@pytest.fixture
def refused(sessions: Sessions) -> IngestOutcome:
    """A return with one good and one refused photo, undecided for it."""
    register(sessions)
    outcome = arrive(sessions, REF, stored(REF, "a", "b"))
    judge(sessions, outcome.opened[0], b=PhotoStatus.QUARANTINED)
    return outcome


def found(sessions: Sessions, **wanted: Any) -> Sequence[Replayable]:
    return queries.replayable(sessions, ReplayFilter(BUCKET, **wanted))


def test_a_refused_photo_is_decoded_anew_and_the_old_verdict_stays(sessions: Sessions, refused: IngestOutcome) -> None:
    before = rows(sessions, "verdict")
    assert replay_photos(sessions, refused.set_id, [KEY], ANA) == 1
    ((work, queue),) = all_due(sessions, timedelta(0))
    assert (work, queue) == (WorkKey(refused.set_id, refused.opened[0].model_id, 2), "rescore")
    photos = {photo.object_key: photo for photo in must_claim(sessions, work, timedelta(seconds=-1)).photos}
    assert (photos[KEY].status, photos[KEY].reason, photos[KEY].etag) == (PhotoStatus.SEEN, None, "b-1")
    assert photos[f"{REF.set_key}a.jpg"].probability == 0.1, "only what was refused is scored again"
    assert judge(sessions, work) is Finish.VERDICT
    assert [row.label for row in queries.current_verdicts(sessions)] == [Label.CLEAR]
    assert rows(sessions, "verdict")[:1] == before
    (row,) = rows(sessions, "replay")
    assert (row.set_id, row.generation, row.photos, row.requested_by, row.why) == (
        refused.set_id,
        2,
        1,
        "ana",
        "the limit was raised",
    )


def test_the_listing_sees_no_change_and_reviews_stand(sessions: Sessions, refused: IngestOutcome) -> None:
    add_review(sessions, **review(refused.set_id, None))
    replay_photos(sessions, refused.set_id, [KEY], ANA)
    assert not arrive(sessions, REF, stored(REF, "a", "b")).changed
    judge(sessions, all_due(sessions, timedelta(0))[0][0])
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.decided_by, current.needs_another_look) == (Label.DAMAGED, "person", False)


def test_twice_or_of_a_photo_that_is_not_refused_it_does_nothing(sessions: Sessions, refused: IngestOutcome) -> None:
    replay_photos(sessions, refused.set_id, [KEY], ANA)
    before = everything(sessions)
    assert replay_photos(sessions, refused.set_id, [KEY, f"{REF.set_key}a.jpg"], ANA) == 0
    assert everything(sessions) == before


def test_a_photo_that_is_gone_cannot_be_decoded(sessions: Sessions, refused: IngestOutcome) -> None:
    left = stored(REF, "a")
    for gone in ((), (), (KEY,)):
        arrive(sessions, REF, left, gone=gone)
    assert found(sessions, photos=True) == []
    assert replay_photos(sessions, refused.set_id, [KEY], ANA) == 0


def test_in_an_open_return_it_waits_for_the_others(sessions: Sessions) -> None:
    register(sessions)
    outcome = arrive(sessions, REF, stored(REF, "a", "b"))
    judge(sessions, outcome.opened[0], b=PhotoStatus.QUARANTINED)
    arrive(sessions, REF, stored(REF, "a", "b", "c"), OPEN)
    assert replay_photos(sessions, outcome.set_id, [KEY], ANA) == 1
    assert all_due(sessions, timedelta(0)) == []
    assert len(arrive(sessions, REF, stored(REF, "a", "b", "c")).opened) == 1


def test_given_up_work_of_every_serving_model_is_due_again(sessions: Sessions) -> None:
    register(sessions)
    (work,) = arrive(sessions, REF, stored(REF, "a")).opened
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    (asked,) = open_rescoring(sessions, candidate, 10)
    for given_up in (work, asked):
        bury(sessions, must_claim(sessions, given_up), "the model broke")
    (both,) = found(sessions)
    assert both == Replayable(work.set_id, REF.set_key, 1, (work.model_id, candidate), ())
    assert [replay_work(sessions, each, ANA) for each in (work, asked, work)] == [True, True, False]
    assert {key for key, _ in all_due(sessions, timedelta(0))} == {work, asked}
    assert [(row.set_id, row.photos) for row in rows(sessions, "replay")] == [(work.set_id, 0)] * 2
