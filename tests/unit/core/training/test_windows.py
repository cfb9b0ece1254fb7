import numpy as np
import pytest

from core.training.outlines import CHANNELS, Coverage
from core.training.windows import clear_window, damaged_window, random_window


def drawn(top: int, left: int, bottom: int, right: int) -> Coverage:
    canvas = np.zeros((512, 512, CHANNELS), np.uint8)
    canvas[top:bottom, left:right, 0] = 255
    return canvas


def cut(canvas: Coverage, box: tuple[float, float, float, float]) -> Coverage:
    left, top, right, bottom = (round(edge * 512) for edge in box)
    return canvas[top:bottom, left:right, 0]


@pytest.mark.parametrize("seed", range(20))
def test_a_clear_window_keeps_its_distance_from_damage_and_a_damaged_one_shows_some(seed: int) -> None:
    canvas = drawn(200, 220, 260, 300)
    rng = np.random.default_rng(seed)
    clear, damaged = clear_window(canvas, rng), damaged_window(canvas, rng)
    assert clear is not None
    assert damaged is not None
    widened = (max(0, clear[0] - 0.015), max(0, clear[1] - 0.015), clear[2] + 0.015, clear[3] + 0.015)
    assert not cut(canvas, widened).any()
    assert (cut(canvas, damaged) > 0).mean() >= 0.004


def test_there_is_no_window_where_there_can_be_none() -> None:
    rng = np.random.default_rng(0)
    assert clear_window(drawn(0, 0, 512, 512), rng) is None
    assert damaged_window(drawn(0, 0, 0, 0), rng) is None


def test_windows_lie_in_the_photo() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        left, top, right, bottom = random_window(rng)
        assert 0 <= left < right <= 1 + 1e-9
        assert 0 <= top < bottom <= 1 + 1e-9
        assert 0.7 < (right - left) / (bottom - top) < 1.4
