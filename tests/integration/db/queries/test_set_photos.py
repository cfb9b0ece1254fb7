"""The photos of sets as people see them, on both databases."""

import numpy as np

from core.domain import AbsenceReason, PhotoStatus
from db import queries
from db.session import Sessions
from tests.photo_sets import arrive, judge, register, set_ref, stored

FIRST, SECOND = set_ref(1), set_ref(2, "airport")


def test_a_photo_comes_with_what_the_model_said_and_its_heat_map(sessions: Sessions) -> None:
    model = register(sessions)
    work = arrive(sessions, FIRST, stored(FIRST, "a", "b")).opened[0]
    judge(sessions, work, 0.3, b=PhotoStatus.QUARANTINED)
    scored, refused = queries.photos_of(sessions, work.set_id, model)
    assert (scored.key, scored.etag, scored.probability, scored.width, scored.height) == (
        f"{FIRST.set_key}a.jpg",
        "a-1",
        0.3,
        4000,
        3000,
    )
    assert scored.heatmap is not None
    np.testing.assert_array_equal(scored.heatmap, np.ones((2, 2), np.float32))
    assert (refused.status, refused.reason, refused.probability) == (PhotoStatus.QUARANTINED, "corrupt", None)


def test_photos_of_several_sets_come_in_one_query(sessions: Sessions) -> None:
    model = register(sessions)
    ids = [arrive(sessions, ref, stored(ref, "a")).set_id for ref in (FIRST, SECOND)]
    assert queries.photos_of_sets(sessions, ids, model).keys() == set(ids)


def test_a_photo_that_is_gone_is_shown_as_it_was_seen(sessions: Sessions) -> None:
    model = register(sessions)
    work = arrive(sessions, FIRST, stored(FIRST, "a", "b")).opened[0]
    judge(sessions, work, 0.9)
    for gone in ((), (), (f"{FIRST.set_key}a.jpg",)):
        arrive(sessions, FIRST, stored(FIRST, "b"), gone=gone)
    photos = queries.photos_of(sessions, work.set_id, model)
    assert [(photo.gone_reason, photo.probability) for photo in photos] == [(AbsenceReason.VANISHED, 0.9), (None, 0.9)]
