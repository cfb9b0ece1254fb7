import numpy as np
import pytest

from core.training.sampling import balance, draw_epoch, telling


@pytest.fixture
def damaged() -> np.ndarray:
    return np.array([number % 2 == 0 for number in range(4000)])


@pytest.fixture
def attributes(damaged: np.ndarray) -> dict[str, np.ndarray]:
    """A source that is right nine times of ten, a view four times of five, and one that says nothing."""
    rng = np.random.default_rng(0)
    said = {"source": 0.9, "view": 0.8, "size": 0.5}
    return {name: np.where(damaged ^ (rng.random(len(damaged)) > share), "a", "b") for name, share in said.items()}


def test_balanced_views_hardly_tell_the_label(damaged: np.ndarray, attributes: dict[str, np.ndarray]) -> None:
    assert telling(damaged, attributes, np.ones(len(damaged))) > 0.9
    weights = balance(damaged, attributes, plain=0.0, limit=20.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[damaged].sum() == pytest.approx(weights[~damaged].sum())
    assert telling(damaged, attributes, weights) < 0.6


def test_a_share_may_stay_as_it_was(damaged: np.ndarray, attributes: dict[str, np.ndarray]) -> None:
    balanced, mixed = (balance(damaged, attributes, plain) for plain in (0.0, 0.4))
    assert telling(damaged, attributes, balanced) < telling(damaged, attributes, mixed)
    assert mixed.min() >= 0.39


def test_what_is_seen_with_one_label_alone_fades(damaged: np.ndarray) -> None:
    source = np.where(damaged & (np.arange(len(damaged)) < 1000), "alone", "both")
    weights = balance(damaged, {"source": source, "view": np.where(source == "alone", "x", "y")}, plain=0.2)
    assert 0.19 < weights[source == "alone"].mean() <= 1.0


def test_an_epoch_draws_in_proportion_and_from_the_seed() -> None:
    weights = np.array([0.5, 1.0, 1.5, 0.0] * 100)
    drawn = draw_epoch(weights, 3000, np.random.default_rng(1))
    counts = np.bincount(drawn, minlength=400)
    np.testing.assert_allclose(counts, weights * 3000 / weights.sum(), atol=1.0)
    np.testing.assert_array_equal(drawn, draw_epoch(weights, 3000, np.random.default_rng(1)))
