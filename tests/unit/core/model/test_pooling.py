import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.model.pooling import Pooling, pool

coefficients = st.floats(-3, 3)
poolings = st.builds(
    Pooling,
    whole=coefficients,
    tile_max=coefficients,
    tile_mean=coefficients,
    tile_logsumexp=coefficients,
    bias=coefficients,
)
view_logits = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(5)), elements=st.floats(-40, 40))


@given(view_logits, poolings)
def test_pooled_logit_is_the_formula(logits: np.ndarray, pooling: Pooling) -> None:
    tiles = logits[:, 1:]
    expected = (
        pooling.bias
        + pooling.whole * logits[:, 0]
        + pooling.tile_max * tiles.max(axis=1)
        + pooling.tile_mean * tiles.mean(axis=1)
        + pooling.tile_logsumexp * np.log(np.exp(tiles).mean(axis=1))
    )
    np.testing.assert_allclose(pool(logits, pooling).logits, expected, atol=1e-9)


@given(view_logits, poolings)
def test_shares_of_the_views_add_up(logits: np.ndarray, pooling: Pooling) -> None:
    pooled = pool(logits, pooling)
    np.testing.assert_allclose((pooled.weights * logits).sum(axis=1) + pooled.constants, pooled.logits, atol=1e-9)


def test_default_is_the_whole_photo() -> None:
    pooled = pool(np.array([[1.5, 9, 9, 9, 9]]), Pooling())
    assert pooled.logits == [1.5]
    assert pooled.weights.tolist() == [[1, 0, 0, 0, 0]]
    assert not Pooling(bias=1).needs_tiles


def test_extreme_logits_do_not_overflow() -> None:
    assert pool(np.array([[0, 800, -800, 0, 0]]), Pooling(whole=0, tile_logsumexp=1)).logits == pytest.approx(
        800 - np.log(4)
    )


def test_tiles_that_are_not_there_cannot_be_weighed() -> None:
    with pytest.raises(ValueError, match="the photos have none"):
        pool(np.zeros((2, 1)), Pooling(tile_mean=1))
