import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.outline_branch import KINDS
from core.model.regions import find_regions


def cells(damaged: np.ndarray, kind: str = "dent") -> np.ndarray:
    made = np.full((*damaged.shape, 1 + len(KINDS)), -3.0, np.float32)
    made[..., 0] = np.where(damaged, 2.0, -2.0)
    made[..., 1 + KINDS.index(kind)] = np.where(damaged, 1.0, -3.0)
    return made


def enclosed(polygon: tuple[tuple[float, float], ...]) -> float:
    """The area of a polygon, positive where it runs clockwise with y downwards."""
    x, y = np.array(polygon).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def test_a_square_is_outlined_with_its_corners_cut() -> None:
    damaged = np.zeros((8, 8), bool)
    damaged[2:6, 3:7] = True
    (region,) = find_regions(cells(damaged))
    assert region.area == pytest.approx(16 / 64)
    assert region.probability == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)
    assert region.kind == "dent"
    x, y = np.array(region.polygon).T
    assert (x.min(), x.max(), y.min(), y.max()) == (3 / 8, 7 / 8, 2 / 8, 6 / 8)
    assert len(region.polygon) == 8
    assert enclosed(region.polygon) == pytest.approx((16 - 4 / 8) / 64)


def test_parts_are_told_apart_and_specks_are_left_out() -> None:
    damaged = np.zeros((10, 10), bool)
    damaged[0, :5] = damaged[5:8, 5:8] = True
    damaged[9, 0] = True
    assert [round(region.area * 100) for region in find_regions(cells(damaged))] == [9, 5]
    assert find_regions(cells(np.zeros((10, 10), bool))) == []


def test_a_hole_does_not_change_the_outer_edge() -> None:
    damaged = np.zeros((8, 8), bool)
    damaged[1:6, 1:6] = True
    whole = find_regions(cells(damaged))[0].polygon
    damaged[3, 3] = False
    assert find_regions(cells(damaged))[0].polygon == whole


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_any_map_gives_closed_clockwise_outlines_within_the_photo(seed: int, share: float) -> None:
    damaged = np.random.default_rng(seed).random((9, 9)) < share
    regions = find_regions(cells(damaged), least_cells=1)
    assert sum(region.area for region in regions) == pytest.approx(damaged.mean(), abs=1e-4)
    for region in regions:
        assert enclosed(region.polygon) > 0
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in region.polygon)
        assert enclosed(region.polygon) >= 0.49 * region.area - 1e-4
