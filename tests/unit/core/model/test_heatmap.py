import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain import ViewPlan
from core.errors import ModelFailed
from core.model.heatmap import TOLERANCE, check_exact, compose, decode_heatmap, encode_heatmap
from core.model.pooling import PooledLogits, Pooling, pool
from core.photos.decode import load_photo


def shares(*weights: float) -> PooledLogits:
    return PooledLogits(np.zeros(1), np.array([weights], dtype=np.float64), np.zeros(1))


def test_a_map_that_adds_up_passes() -> None:
    maps = np.array([[[1.0, 3.0]], [[0.0, -2.0]]])
    check_exact(maps, np.array([0.5, 0.5]), np.array([2.5, -0.5]))


@pytest.mark.parametrize("gap", [2 * TOLERANCE, -2 * TOLERANCE, np.nan, np.inf])
def test_a_map_that_does_not_add_up_is_an_error(gap: float) -> None:
    with pytest.raises(ModelFailed, match="does not add up"):
        check_exact(np.zeros((2, 1, 1)), np.zeros(2), np.array([0.0, gap]))


def test_without_tiles_the_view_map_is_the_photo_map() -> None:
    maps = np.random.default_rng(1).normal(size=(1, 1, 7, 7))
    np.testing.assert_array_equal(compose(maps, ViewPlan(), shares(1.0))[0], maps[0, 0])


@given(
    arrays(np.float64, (2, 5, 3, 3), elements=st.floats(-5, 5)),
    st.floats(0.5, 1.0),
    st.builds(Pooling, whole=st.floats(-2, 2), tile_max=st.floats(-2, 2), tile_logsumexp=st.floats(-2, 2)),
)
def test_with_tiles_the_composed_map_still_adds_up(maps: np.ndarray, share: float, pooling: Pooling) -> None:
    pooled = pool(maps.mean(axis=(2, 3)), pooling)
    composed = compose(maps, ViewPlan(tiles=2, tile_share=share), pooled)
    check_exact(composed, pooled.constants, pooled.logits)


def test_a_tile_counts_only_where_it_lies() -> None:
    maps = np.zeros((1, 5, 7, 7))
    maps[0, 2] = 1  # the tile at the top right
    composed = compose(maps, ViewPlan(tiles=2, tile_share=0.5), shares(0, 0, 1, 0, 0))[0]
    assert composed.shape == (14, 14)
    np.testing.assert_allclose(composed[:7, 7:], 4, atol=1e-9)
    composed[:7, 7:] = 0
    np.testing.assert_allclose(composed, 0, atol=1e-9)


@pytest.mark.parametrize("plan", [ViewPlan(56, 2, 0.6), ViewPlan(56, 3, 0.5), ViewPlan(56, 1, 0.4)])
@pytest.mark.parametrize("centre", [(0.2, 0.36), (0.5, 0.5), (0.9, 0.65)])
def test_composition_puts_things_where_the_decoder_saw_them(plan: ViewPlan, centre: tuple[float, float]) -> None:
    """A bright dot in the photo, carried through the decoder's views and back, ends where it was."""
    photo = np.zeros((560, 560, 3), np.uint8)
    x, y = (round(part * 560) for part in centre)
    photo[y - 14 : y + 14, x - 14 : x + 14] = 255
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    views = load_photo(file.getvalue(), plan).views[..., 0].astype(float)
    maps = views.reshape(plan.count, 7, 8, 7, 8).mean(axis=(2, 4))
    composed = compose(maps[None], plan, shares(*[1.0] * plan.count))[0]
    row, column = np.unravel_index(composed.argmax(), composed.shape)
    assert abs((column + 0.5) / 14 - centre[0]) < 0.08
    assert abs((row + 0.5) / 14 - centre[1]) < 0.08


def test_a_stored_map_comes_back() -> None:
    heatmap = np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 1
    data, shape = encode_heatmap(heatmap.T)
    assert (len(data), shape) == (12, (3, 2))
    assert data[:2] == np.float16(-1).tobytes()
    restored = decode_heatmap(data, shape)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, heatmap.T)


def test_bytes_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        decode_heatmap(b"\0" * 12, (2, 2))
