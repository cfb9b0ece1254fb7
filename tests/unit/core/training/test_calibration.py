import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.pooling import Pooling, pool
from core.training.calibration import fit_pooling, fit_temperature, log_loss, operating_points, probabilities


def judged(count: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are calibrated by construction, and truths drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, count)
    return logits, rng.random(count) < probabilities(logits)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_a_temperature_undoes_over_and_under_confidence(factor: float) -> None:
    logits, damaged = judged()
    assert fit_temperature(logits * factor, damaged) == pytest.approx(factor, rel=0.05)


def test_the_temperature_never_makes_validation_worse() -> None:
    logits, damaged = judged(200)
    temperature = fit_temperature(logits * 3, damaged)
    assert log_loss(logits * 3 / temperature, damaged) <= log_loss(logits * 3, damaged)


def test_log_loss_of_a_coin_is_ln_2_and_of_a_huge_logit_finite() -> None:
    assert log_loss(np.zeros(4), np.array([True, False, True, False])) == pytest.approx(np.log(2))
    assert log_loss(np.array([1000.0]), np.array([False])) == pytest.approx(1000.0)


@given(st.integers(0, 1000), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_each_threshold_keeps_its_recall_and_the_next_higher_would_not(seed: int, recall: float) -> None:
    logits, damaged = judged(150, seed)
    probability = probabilities(logits)
    (point,) = operating_points(probability, damaged, [recall])
    assert point.recall >= recall
    assert (probability[damaged] > point.threshold).mean() < recall


def test_pooling_learns_to_listen_to_the_tile_that_shows_it() -> None:
    rng = np.random.default_rng(1)
    damaged = rng.random(600) < 0.5
    views = rng.normal(-2, 1, (600, 5))
    views[damaged, rng.integers(1, 5, damaged.sum())] += 5  # one tile shows the damage, the whole photo does not
    pooling = fit_pooling(views, damaged)
    pooled = pool(views, pooling).logits
    assert pooling.tile_max > abs(pooling.whole)
    assert ((pooled > 0) == damaged).mean() > 0.9
    assert ((views[:, 0] > 0) == damaged).mean() < 0.6


def test_one_view_needs_no_pooling() -> None:
    assert fit_pooling(np.zeros((4, 1)), np.array([True, False, True, False])) == Pooling()
