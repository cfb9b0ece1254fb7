"""Results are stored once, on both databases, and the verdict follows from the stored rows alone."""

from typing import Any

import pytest
from sqlalchemy import text

from core.canonical import canonical_json
from core.completeness import Completeness
from core.domain import ClosedBy, Label, ModelState, PhotoStatus
from core.errors import ModelUnusable
from core.policy import Policy
from core.verdict import Decision, decide
from db import queries
from db.history import Prediction
from db.session import Sessions
from db.transactions import (
    Finish,
    PhotoResult,
    claim,
    decisions,
    finish,
    open_rescoring,
    renew,
    sets_due,
)
from tests.photo_sets import (
    BUCKET,
    LEASE,
    NOW,
    POLICY,
    arrive,
    judge,
    must_claim,
    register,
    scored,
    set_ref,
    stored,
)
from tests.rows import everything, rows

REF = set_ref()


def test_finishing_twice_gives_one_verdict(sessions: Sessions) -> None:
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.VERDICT
    before = everything(sessions)
    assert finish(sessions, claimed, scored(claimed, 0.9), POLICY, NOW, 1.0) is Finish.FENCED
    assert everything(sessions) == before


def test_content_that_moved_on_while_it_was_scored_gets_no_verdict(sessions: Sessions) -> None:
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    late = arrive(sessions, REF, stored(REF, "a", "b"))
    assert claim(sessions, claimed.work, LEASE, 5) is None, "a second message leaves it to the worker that holds it"
    assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.SUPERSEDED
    assert rows(sessions, "verdict") == []
    known = must_claim(sessions, late.opened[0]).photos
    assert [photo.probability for photo in known] == [0.1, None], "what was learnt is not learnt twice"


def test_the_first_prediction_of_a_content_wins(sessions: Sessions) -> None:
    register(sessions)
    photos = stored(REF, "a")
    judge(sessions, arrive(sessions, REF, photos).opened[0], 0.1)
    second = must_claim(sessions, arrive(sessions, REF, stored(REF, "a", version="2")).opened[0])
    assert finish(sessions, second, scored(second, 0.95), POLICY, NOW, 1.0) is Finish.VERDICT
    assert [verdict.score for verdict in queries.current_verdicts(sessions)] == [0.1]
    assert len(rows(sessions, "prediction")) == 1


def test_what_is_known_of_a_photo_is_not_changed_by_another_model(sessions: Sessions) -> None:
    register(sessions)
    first = arrive(sessions, REF, stored(REF, "a")).opened[0]
    judge(sessions, first)
    before = rows(sessions, "photo")
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    (work,) = open_rescoring(sessions, candidate, 10)
    assert judge(sessions, work, a=PhotoStatus.QUARANTINED) is Finish.VERDICT
    assert rows(sessions, "photo") == before
    labels = {row.model_id: row.label for row in rows(sessions, "verdict")}
    assert labels == {first.model_id: "clear", candidate: "undecided"}


def test_a_photo_that_went_while_it_was_scored_reopens_the_set(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    work = arrive(sessions, REF, [a, b]).opened[0]
    assert judge(sessions, work, b=PhotoStatus.GONE) is Finish.SUPERSEDED
    assert sets_due(sessions, NOW, 10) == [REF.set_key]
    outcome = arrive(sessions, REF, [a])
    assert (outcome.generation, len(outcome.opened)) == (2, 1)
    assert judge(sessions, outcome.opened[0]) is Finish.VERDICT


def test_another_policy_than_the_registered_one_is_refused(sessions: Sessions) -> None:
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    with pytest.raises(ModelUnusable, match="another policy"):
        finish(sessions, claimed, scored(claimed), Policy(damaged_at=0.9, clear_below=0.2), NOW, 1.0)
    assert renew(sessions, claimed, LEASE), "nothing of it was kept, the claim still stands"


@pytest.mark.parametrize("probability", [0.1, 1e-7, 0.123456789012345678, 0.65, 1.0, 5e-324])
def test_a_verdict_can_be_computed_again_to_the_byte(sessions: Sessions, probability: float) -> None:
    register(sessions)
    photos = stored(REF, "a", "b", "ä€😀", "d")
    work = arrive(sessions, REF, photos, Completeness(ClosedBy.DEADLINE, missing=("x.jpg",))).opened[0]
    judge(sessions, work, probability, b=PhotoStatus.UNUSABLE, d=PhotoStatus.QUARANTINED)
    (placed,) = queries.placed_photos(sessions, BUCKET, "returns/")
    stored_verdict = placed.verdict
    assert stored_verdict is not None
    again = queries.decide_again(placed.photos, stored_verdict)
    assert again.input_sha256 == stored_verdict.input_sha256
    assert canonical_json(again.reasons) == canonical_json(stored_verdict.reasons)
    assert (again.label, again.score) == (stored_verdict.label, stored_verdict.score)


def test_what_was_learnt_of_a_photo_comes_back_as_it_was(sessions: Sessions) -> None:
    model = register(sessions)
    work = arrive(sessions, REF, stored(REF, "a")).opened[0]
    judge(sessions, work, 0.3)
    (photo,) = queries.photos_of(sessions, work.set_id, model)
    assert (photo.status, photo.probability, photo.width, photo.height) == (PhotoStatus.OK, 0.3, 4000, 3000)
    assert photo.heatmap is not None
    assert photo.heatmap.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_photos_refused_before_they_were_read_keep_their_reason(sessions: Sessions) -> None:
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    refused = [PhotoResult(claimed.photos[0].photo_id, PhotoStatus.QUARANTINED, "too_large")]
    assert finish(sessions, claimed, refused, POLICY, NOW, 0.0) is Finish.VERDICT
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.score) == (Label.UNDECIDED, None)
    assert current.reasons["photos"][0]["reason"] == "too_large"


def test_a_set_is_decided_before_it_is_locked(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of photos take a while, and a database ends a transaction that is idle for long."""
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a", "b")).opened[0])
    decided = []

    def decide_while_another_writes(*inputs: Any) -> Decision:
        with sessions.begin() as session:
            session.execute(text("UPDATE photo_set SET note = 'written by another'"))
        decided.append(inputs)
        return decide(*inputs)

    monkeypatch.setattr(decisions, "decide", decide_while_another_writes)
    assert finish(sessions, claimed, scored(claimed, 0.9), POLICY, NOW, 1.0) is Finish.VERDICT
    assert len(decided) == 1
    assert [verdict.label for verdict in queries.current_verdicts(sessions)] == [Label.DAMAGED]


def test_it_is_decided_again_where_its_rows_are_not_as_foreseen(sessions: Sessions) -> None:
    """As when another set with the same photo was scored first: that prediction counts, and the verdict says so."""
    model = register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    (result,) = scored(claimed, 0.1)
    with sessions.begin() as session:
        session.add(
            Prediction(
                content_sha256=result.content_sha256, model_id=model, probability=0.95, logit=3.0, created_at=NOW
            )
        )
    assert finish(sessions, claimed, [result], POLICY, NOW, 1.0) is Finish.VERDICT
    (verdict,) = queries.current_verdicts(sessions)
    assert (verdict.label, verdict.score) == (Label.DAMAGED, 0.95)
