from collections.abc import Callable

import numpy as np
import pytest

from core.domain import Pixels
from core.training.distort import Point
from core.training.synthesis import _KINDS, Image, paint_damage


def body(seed: int = 0, size: int = 96) -> Pixels:
    """A smooth, softly shaded panel."""
    ramp = np.linspace(60, 160, size)[:, None] + np.linspace(0, 30, size)[None, :]
    return np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)


def test_the_same_seed_paints_the_same_damage_and_leaves_the_photo_alone() -> None:
    photo = body()
    before = photo.copy()
    first = paint_damage(photo, np.random.default_rng(7))
    second = paint_damage(photo, np.random.default_rng(7))
    assert np.array_equal(first, second)
    assert np.array_equal(photo, before)
    assert first.dtype == np.uint8
    assert first.shape == photo.shape


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_visible_and_local(seed: int) -> None:
    photo = body()
    change = np.abs(paint_damage(photo, np.random.default_rng(seed)).astype(int) - photo).max(axis=2)
    assert change.max() >= 10
    assert (change >= 10).mean() < 0.6  # most of the twin is the same photo


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_every_kind_of_damage_changes_pixels_near_its_place(
    kind: Callable[[Image, Point, np.random.Generator], Image],
) -> None:
    photo = body().astype(np.float32) / 255.0
    painted = kind(photo, (48.0, 48.0), np.random.default_rng(3))
    rows, columns = np.nonzero(np.abs(painted - photo).max(axis=2) > 0.02)
    assert len(rows)
    assert abs(rows.mean() - 48) < 24
    assert abs(columns.mean() - 48) < 24
    assert np.isfinite(painted).all()
