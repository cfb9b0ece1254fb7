"""Recorded reviews go out as lines that any database takes in, on both databases."""

from datetime import timedelta

import pytest

from core.domain import Label
from db import queries
from db.session import Sessions
from db.transactions import add_review, import_reviews
from tests.photo_sets import BUCKET, NOW, arrive, judge, register, review, set_ref, stored

FIRST, SECOND = set_ref(1), set_ref(2, "airport")


@pytest.fixture
def reviewed(sessions: Sessions) -> list[int]:
    """Two returns; the first was reviewed twice, the second once without a verdict."""
    register(sessions)
    works = [arrive(sessions, ref, stored(ref, "a")).opened[0] for ref in (FIRST, SECOND)]
    judge(sessions, works[0])
    verdict = queries.current_verdicts(sessions)[0].verdict_id
    add_review(sessions, **review(works[0].set_id, verdict, "k1"))
    add_review(sessions, **review(works[1].set_id, None, "k2"))
    add_review(sessions, **review(works[0].set_id, verdict, "k3", label=Label.CLEAR))
    return [work.set_id for work in works]


def test_lines_come_in_the_order_in_which_they_were_made_page_by_page(
    sessions: Sessions, reviewed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.queries.review_history.PAGE", 1)
    lines = list(queries.review_lines(sessions, BUCKET))
    assert [(line.key, line.set_key, line.generation) for line in lines] == [
        ("k1", FIRST.set_key, 1),
        ("k2", SECOND.set_key, 1),
        ("k3", FIRST.set_key, 1),
    ]
    assert [line.verdict_by.name if line.verdict_by else None for line in lines] == ["first", None, "first"]
    assert [line.key for line in queries.review_lines(sessions, BUCKET, "airport")] == ["k2"]
    assert [line.key for line in queries.review_lines(sessions, BUCKET, vehicle="V-001")] == ["k1", "k3"]


def test_a_line_comes_in_again_as_what_it_was(sessions: Sessions, reviewed: list[int]) -> None:
    lines = queries.recorded_reviews(sessions, ["k1", "k2", "unknown"])
    assert {line.key for line in lines} == {"k1", "k2"}
    assert import_reviews(sessions, BUCKET, lines, NOW + timedelta(days=1)) == [False, False]


def test_the_latest_decision_on_the_current_content(sessions: Sessions, reviewed: list[int]) -> None:
    latest = queries.latest_review(sessions, BUCKET, FIRST.set_key)
    assert latest is not None
    assert (latest.key, latest.label) == ("k3", Label.CLEAR)
    arrive(sessions, FIRST, stored(FIRST, "a", "b"))
    assert queries.latest_review(sessions, BUCKET, FIRST.set_key) is None
