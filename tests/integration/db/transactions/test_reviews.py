"""Reviews are only ever added, on both databases, and outrank the model."""

from datetime import timedelta
from typing import Any

import pytest

from core.domain import Label, ModelState
from core.errors import ReviewRefused
from db import queries
from db.session import Sessions
from db.transactions import (
    activate_model,
    add_review,
    open_rescoring,
)
from tests.photo_sets import (
    NOW,
    arrive,
    judge,
    register,
    review,
    set_ref,
    stored,
)
from tests.rows import rows, view

REF = set_ref()


@pytest.fixture
def set_id(sessions: Sessions) -> int:
    register(sessions)
    work = arrive(sessions, REF, stored(REF, "a")).opened[0]
    judge(sessions, work)
    return work.set_id


def test_the_same_review_twice_is_stored_once(sessions: Sessions, set_id: int) -> None:
    first = add_review(sessions, **review(set_id, 1))
    assert add_review(sessions, **review(set_id, 1, now=NOW + timedelta(hours=3))) == first
    assert len(rows(sessions, "review")) == 1


def test_a_key_taken_by_another_decision_is_refused(sessions: Sessions, set_id: int) -> None:
    add_review(sessions, **review(set_id, 1))
    with pytest.raises(ReviewRefused, match="taken by another decision"):
        add_review(sessions, **review(set_id, 1, label=Label.CLEAR))


@pytest.mark.parametrize(
    "changes", [{"set_id": 99}, {"seen_generation": 2}, {"seen_generation": 0}, {"seen_verdict_id": 99}]
)
def test_a_review_of_what_is_not_there_is_refused(sessions: Sessions, set_id: int, changes: dict[str, Any]) -> None:
    with pytest.raises(ReviewRefused, match="reload the page"):
        add_review(sessions, **{**review(set_id, 1), **changes})
    assert rows(sessions, "review") == []


def test_a_persons_decision_outranks_the_models_and_survives_a_rescore(sessions: Sessions, set_id: int) -> None:
    add_review(sessions, **review(set_id, 1, "k1", label=Label.UNDECIDED))
    add_review(sessions, **review(set_id, 1, "k2"))
    second = register(sessions, "second", ModelState.CANDIDATE)
    (work,) = open_rescoring(sessions, second, 10)
    judge(sessions, work, 0.2)
    activate_model(sessions, second)
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.decided_by, current.needs_another_look) == (Label.DAMAGED, "person", False)
    assert (current.model_id, current.score) == (second, 0.2)


def test_new_content_needs_another_look_with_the_old_decision_shown(sessions: Sessions, set_id: int) -> None:
    add_review(sessions, **review(set_id, 1))
    judge(sessions, arrive(sessions, REF, stored(REF, "a", "b")).opened[0])
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.decided_by, current.needs_another_look) == (Label.CLEAR, "model", True)
    (shown,) = view(sessions, "current_verdict")
    assert (shown["review_label"], shown["reviewer"]) == ("damaged", "ana")
    late = review(set_id, 1, "late")  # sent from a page that was opened before the new photo came
    add_review(sessions, **review(set_id, 2, "fresh", seen_generation=2, label=Label.CLEAR))
    add_review(sessions, **late)
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.decided_by, current.needs_another_look) == (Label.CLEAR, "person", False)
