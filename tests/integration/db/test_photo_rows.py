"""A set's current photos with the prediction that counts, on both databases."""

from core.domain import AbsenceReason, PhotoStatus
from db.photo_rows import photo_rows
from db.session import Sessions
from tests.photo_sets import arrive, judge, register, set_ref, stored

REF, OTHER = set_ref(1), set_ref(2)


def test_each_set_has_its_current_photos_in_key_order(sessions: Sessions) -> None:
    model = register(sessions)
    first = arrive(sessions, REF, stored(REF, "b", "a")).set_id
    second = arrive(sessions, OTHER, stored(OTHER, "c")).set_id
    arrive(sessions, REF, [*stored(REF, "a"), *stored(REF, "b", version="2")])
    with sessions() as session:
        rows = photo_rows(session, [first, second, 99], model)
    assert [row.etag for row in rows[first]] == ["a-1", "b-2"]
    assert [row.etag for row in rows[second]] == ["c-1"]
    assert rows[99] == ()


def test_of_a_photo_that_is_gone_the_kept_prediction_counts_whichever_model_asks(sessions: Sessions) -> None:
    model = register(sessions)
    work = arrive(sessions, REF, stored(REF, "a", "b")).opened[0]
    judge(sessions, work, 0.9)
    for gone in ((), (), (f"{REF.set_key}a.jpg",)):
        arrive(sessions, REF, stored(REF, "b"), gone=gone)
    other = register(sessions, "other")
    with sessions() as session:
        asked = {name: photo_rows(session, [work.set_id], model_id)[work.set_id] for name, model_id in
                 (("own", model), ("other", other), ("none", None))}  # fmt: skip
    assert {name: [row.probability for row in rows] for name, rows in asked.items()} == {
        "own": [0.9, 0.9],
        "other": [0.9, None],
        "none": [0.9, None],
    }
    assert [row.gone_reason for row in asked["own"]] == [AbsenceReason.VANISHED, None]


def test_evidence_has_a_probability_only_where_the_photo_itself_was_scored(sessions: Sessions) -> None:
    """The same content may be quarantined here, and have been scored in another set."""
    model = register(sessions)
    work = arrive(sessions, REF, stored(REF, "a", "b")).opened[0]
    judge(sessions, work, 0.3, b=PhotoStatus.QUARANTINED)
    with sessions() as session:
        scored, refused = photo_rows(session, [work.set_id], model)[work.set_id]
    assert (scored.evidence().probability, scored.evidence().absence) == (0.3, None)
    assert (refused.evidence().probability, refused.evidence().reason) == (None, "corrupt")
