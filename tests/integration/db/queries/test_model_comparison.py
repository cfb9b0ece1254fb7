"""Two model versions on the same sets, on both databases."""

import pytest

from core.domain import Label, ModelState
from db import queries
from db.session import Sessions
from db.transactions import add_review, open_rescoring
from tests.photo_sets import BUCKET, arrive, judge, register, review, set_ref, stored


@pytest.fixture
def versions(sessions: Sessions) -> tuple[int, int]:
    """Two versions: one return labelled alike, one otherwise (and reviewed), one by the first version only."""
    first = register(sessions, "first")
    works = [arrive(sessions, set_ref(n), stored(set_ref(n), "a")).opened[0] for n in (1, 2, 3)]
    for work, probability in zip(works, (0.1, 0.1, 0.6), strict=True):
        judge(sessions, work, probability)
    second = register(sessions, "second", ModelState.CANDIDATE)
    for work, probability in zip(open_rescoring(sessions, second, 2), (0.2, 0.9), strict=True):
        judge(sessions, work, probability)
    add_review(sessions, **review(works[1].set_id, None))
    return first, second


def test_labels_are_counted_in_pairs_and_against_people(sessions: Sessions, versions: tuple[int, int]) -> None:
    comparison = queries.compare_models(sessions, BUCKET, *versions)
    assert comparison.pairs == {(Label.CLEAR, Label.CLEAR): 1, (Label.CLEAR, Label.DAMAGED): 1}
    assert (comparison.sets, comparison.changed, comparison.only_first, comparison.only_second) == (2, 1, 1, 0)
    assert (comparison.reviewed, comparison.first_right, comparison.second_right) == (1, 0, 1)
    assert comparison.photos == 2
    assert (comparison.mean_shift, comparison.largest_shift) == pytest.approx((0.45, 0.8))


def test_what_changed_has_each_side_in_its_place(sessions: Sessions, versions: tuple[int, int]) -> None:
    (changed,) = queries.changed_verdicts(sessions, BUCKET, *versions)
    assert (changed.set_key, changed.fleet, changed.vehicle, changed.return_ref) == (
        set_ref(2).set_key,
        "harbour",
        "V-002",
        "2026-11-20",
    )
    assert (changed.first, changed.first_score, changed.second, changed.second_score) == (
        Label.CLEAR,
        0.1,
        Label.DAMAGED,
        0.9,
    )
    assert changed.first_reasons["model"]["name"] == "first"
    assert changed.second_reasons["model"]["name"] == "second"
    assert changed.reviewed is Label.DAMAGED
    assert queries.changed_verdicts(sessions, BUCKET, *versions, fleet="airport") == []


def test_a_review_counts_though_a_photo_vanished_since(sessions: Sessions, versions: tuple[int, int]) -> None:
    first, second = versions
    key = f"{set_ref(2).set_key}a.jpg"
    for gone in ((), (), (key,)):
        work = arrive(sessions, set_ref(2), [], gone=gone).opened
    judge(sessions, work[0])
    (asked,) = [work for work in open_rescoring(sessions, second, 10) if work.generation == 2]
    judge(sessions, asked)
    assert queries.compare_models(sessions, BUCKET, first, second).reviewed == 1
