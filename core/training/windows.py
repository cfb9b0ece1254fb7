"""Windows of outlined photos, with damage and clear of it: same camera, same light, same paint."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from core.training.distort import Box
from core.training.outlines import Coverage

Truth = NDArray[np.bool_]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_TRIES = 40
_SIDES = (0.25, 0.7)  # of a window, as shares of the photo's
_LEAST_SHARE = 0.004  # of a window, for it to count as damaged
_LEAST_PART = 0.25  # of the photo's damage near the point that the window was drawn around


def random_window(rng: Generator, sides: tuple[float, float] = _SIDES) -> Box:
    """Any window of a photo; its width and height differ by a quarter at most."""
    width, height = _size(rng, sides)
    left, top = rng.uniform(0.0, 1.0 - width), rng.uniform(0.0, 1.0 - height)
    return left, top, left + width, top + height


def damaged_window(drawn: Coverage, rng: Generator) -> Box | None:
    """A window around a damaged point; None where the photo shows no damage or none that fills enough of a window."""
    damage = drawn[..., 0] > 0
    points = np.argwhere(damage)
    if not len(points):
        return None
    side = len(damage)
    for _ in range(_TRIES):
        y, x = points[rng.integers(len(points))] / side
        width, height = _size(rng, _SIDES)
        left = float(np.clip(x - rng.uniform(0.25, 0.75) * width, 0.0, 1.0 - width))
        top = float(np.clip(y - rng.uniform(0.25, 0.75) * height, 0.0, 1.0 - height))
        box = (left, top, left + width, top + height)
        inside = _cut(damage, box)
        if inside.mean() >= _LEAST_SHARE and (inside.mean() > 0.05 or inside.sum() >= _LEAST_PART * damage.sum()):
            return box
    return None


def clear_window(drawn: Coverage, rng: Generator, margin: float = 0.02) -> Box | None:
    """The largest of some windows that keep `margin` from all damage; None where there is none."""
    damage = drawn[..., 0] > 0
    found: Box | None = None
    for _ in range(_TRIES):
        left, top, right, bottom = random_window(rng)
        widened = (max(0.0, left - margin), max(0.0, top - margin), min(1.0, right + margin), min(1.0, bottom + margin))
        larger = found is None or (right - left) * (bottom - top) > (found[2] - found[0]) * (found[3] - found[1])
        if larger and not _cut(damage, widened).any():
            found = (left, top, right, bottom)
    return found


def _size(rng: Generator, sides: tuple[float, float]) -> tuple[float, float]:
    side, stretch = rng.uniform(*sides), np.exp(rng.uniform(-0.12, 0.12))
    return float(min(1.0, side * stretch)), float(min(1.0, side / stretch))


def _cut(damage: Truth, box: Box) -> Truth:
    side = len(damage)
    left, top, right, bottom = (round(edge * side) for edge in box)
    return damage[top : max(bottom, top + 1), left : max(right, left + 1)]
