import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training.measures import auroc, calibration_error, measure, recall_at


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_chance_that_a_damaged_photo_ranks_higher(pairs: list[tuple[float, bool]]) -> None:
    probability = np.array([p for p, _ in pairs])
    damaged = np.array([y for _, y in pairs])
    if damaged.all() or not damaged.any():
        assert np.isnan(auroc(probability, damaged))
        return
    wins = [(a > b) + 0.5 * (a == b) for a in probability[damaged] for b in probability[~damaged]]
    assert auroc(probability, damaged) == pytest.approx(np.mean(wins))


def test_calibration_error_of_the_honest_and_of_the_boaster() -> None:
    damaged = np.array([True] * 7 + [False] * 3)
    assert calibration_error(np.full(10, 0.7), damaged) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(np.ones(10), damaged) == pytest.approx(0.3)


def test_figures_and_their_intervals() -> None:
    rng = np.random.default_rng(0)
    damaged = np.arange(400) % 2 == 0
    probability = np.where(rng.random(400) < 0.9, damaged, ~damaged) * 0.8 + 0.1
    figures = measure(probability, damaged, 0.5)
    assert (figures.photos, figures.damaged) == (400, 200)
    accuracy = figures.measures["accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.high - accuracy.low == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / 400), rel=0.25)
    assert figures.measures["recall"].value == pytest.approx((probability[damaged] >= 0.5).mean())


def test_a_group_of_one_label_has_no_figures_that_need_both() -> None:
    figures = measure(np.array([0.2, 0.9]), np.array([True, True]), 0.5)
    assert {"auroc", "specificity"}.isdisjoint(figures.measures)
    assert figures.measures["recall"].value == 0.5


def test_recall_is_read_where_specificity_is_what_was_asked_for() -> None:
    scores = np.concatenate([np.arange(100) / 100, [0.5, 0.95, 0.99, 0.2]])
    damaged = np.arange(104) >= 100
    assert recall_at(0.9, scores, damaged) == pytest.approx(0.5)
    assert np.isnan(recall_at(0.9, scores, np.ones(104, dtype=bool)))
