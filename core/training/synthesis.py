"""Damage painted onto photos of intact cars, so that the same photo exists with and without damage.

What is painted follows the kinds that assessors name: scratches, scuffs, dents, cracks, broken-out pieces. It is meant
to teach that damage, and nothing else about a photo, makes the label; it is not meant to fool a person.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from core.domain import Pixels
from core.training.distort import Point, draw_polygon, draw_strokes

Image = NDArray[np.float32]  # RGB in 0..1, (size, size, 3)


def paint_damage(pixels: Pixels, rng: Generator) -> Pixels:
    """A copy of a square uint8 RGB photo (size, size, 3) with one to three kinds of damage around one place."""
    size = pixels.shape[0]
    image = pixels.astype(np.float32) / 255.0
    place = _place(image, rng)
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    for kind in rng.choice(len(_KINDS), size=count, replace=False, p=_SHARES):
        x, y = (float(np.clip(at + rng.normal(0, 0.06 * size), 0.1 * size, 0.9 * size)) for at in place)
        image = _KINDS[kind](image, (x, y), rng)
    painted: Pixels = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return painted


def _place(image: Image, rng: Generator) -> Point:
    """Of some random places, one on a smooth and not very bright surface: bodywork rather than sky or grille."""
    size = image.shape[0]
    candidates = rng.uniform(0.18, 0.82, size=(6, 2)) * size
    reach = max(4, size // 14)
    roughness = []
    for x, y in candidates.astype(int):
        patch = image[y - reach : y + reach, x - reach : x + reach]
        roughness.append(float(patch.std(axis=(0, 1)).mean()) + 0.4 * max(0.0, float(patch.mean()) - 0.85))
    x, y = candidates[int(np.argsort(roughness)[rng.integers(0, 3)])]
    return float(x), float(y)


def _scratches(image: Image, place: Point, rng: Generator) -> Image:
    """A few lines in one direction, some down to the primer (light), some to the metal or dirt (dark)."""
    size = image.shape[0]
    direction = rng.uniform(0, math.pi)
    strokes, widths = [], []
    for _ in range(rng.integers(1, 7)):
        start = np.array(place) + rng.normal(0, 0.04 * size, 2)
        strokes.append(_wander(start, direction + rng.normal(0, 0.15), rng.uniform(0.08, 0.45) * size, rng))
        widths.append(rng.uniform(0.5, 2.4) * size / 224)
    mask = draw_strokes(size, strokes, widths) * _patchy(size, rng) * rng.uniform(0.4, 1.0)
    return _blend(image, _bare_colour(image, place, rng), mask)


def _scuff(image: Image, place: Point, rng: Generator) -> Image:
    """An area rubbed through: many short fine streaks in one direction over a pale or dark haze."""
    size = image.shape[0]
    direction, along, across = rng.uniform(0, math.pi), rng.uniform(0.05, 0.16) * size, rng.uniform(0.02, 0.08) * size
    axis, normal = _axes(direction)
    strokes = []
    for _ in range(rng.integers(15, 60)):
        start = np.array(place) + axis * rng.normal(0, along) + normal * rng.normal(0, across)
        strokes.append(_wander(start, direction + rng.normal(0, 0.08), rng.uniform(0.3, 1.4) * along, rng))
    lines = draw_strokes(size, strokes, list(rng.uniform(0.4, 1.6, len(strokes)) * size / 224))
    haze = _bump(size, place, direction, along * 1.2, across * 1.4) * rng.uniform(0.0, 0.45)
    mask = np.maximum(lines * rng.uniform(0.3, 0.85), haze) * _patchy(size, rng)
    return _blend(image, _bare_colour(image, place, rng), mask)


def _dent(image: Image, place: Point, rng: Generator) -> Image:
    """Bent metal: reflections are displaced, one flank turns to the light and the other away, a crease may show."""
    size = image.shape[0]
    direction = rng.uniform(0, math.pi)
    length = rng.uniform(0.05, 0.2) * size
    breadth = length * rng.uniform(0.3, 1.0)
    bump = _bump(size, place, direction, length, breadth)
    depth = rng.uniform(0.3, 1.0) * breadth * rng.choice([-1.0, 1.0])
    bump_y, bump_x = np.gradient(bump)
    warped = _displace(image, depth * bump_x * breadth * 1.2, depth * bump_y * breadth * 1.2)
    light = rng.uniform(0, 2 * math.pi)
    slope = (bump_x * math.cos(light) + bump_y * math.sin(light)) * breadth
    shaded = warped + (rng.uniform(0.15, 0.6) * slope - rng.uniform(0.0, 0.15) * bump)[..., None]
    if rng.random() < 0.4:
        crease = draw_strokes(size, [_wander(np.array(place), direction, length * 1.5, rng)], [1.2 * size / 224])
        shaded = shaded + (crease * rng.choice([-0.35, 0.35]))[..., None]
    return np.asarray(np.clip(shaded, 0.0, 1.0), dtype=np.float32)


def _crack(image: Image, place: Point, rng: Generator) -> Image:
    """Broken glass or plastic: rays from one point, joined by broken rings, light or dark."""
    size = image.shape[0]
    reach = rng.uniform(0.08, 0.3) * size
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(4, 14)))
    strokes = [_wander(np.array(place), angle, reach * rng.uniform(0.5, 1.2), rng, centred=False) for angle in angles]
    for _ in range(rng.integers(0, 4)):
        radius = reach * rng.uniform(0.15, 0.7)
        first = rng.integers(0, len(angles))
        arc = angles[first : first + rng.integers(2, len(angles) + 1)]
        strokes.append([(place[0] + radius * math.cos(a), place[1] + radius * math.sin(a)) for a in arc])
    strokes = [stroke for stroke in strokes if len(stroke) > 1]
    mask = draw_strokes(size, strokes, list(rng.uniform(0.5, 1.5, len(strokes)) * size / 224))
    colour = np.full(3, rng.choice([0.06, 0.9, 0.97]), dtype=np.float32)
    return _blend(image, colour, mask * rng.uniform(0.5, 0.95))


def _hole(image: Image, place: Point, rng: Generator) -> Image:
    """A piece broken out: a ragged dark shape with a pale rim."""
    size = image.shape[0]
    radius = rng.uniform(0.03, 0.1) * size
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(6, 13)))
    stretch = rng.uniform(0.5, 2.0)
    outline = [
        (place[0] + stretch * r * math.cos(a), place[1] + r * math.sin(a))
        for a, r in zip(angles, radius * rng.uniform(0.4, 1.2, len(angles)), strict=True)
    ]
    rim = draw_strokes(size, [[*outline, outline[0]]], [rng.uniform(1.0, 3.0) * size / 224])
    image = _blend(image, np.full(3, rng.uniform(0.5, 0.95), dtype=np.float32), rim * rng.uniform(0.3, 0.9))
    inside = np.full(3, rng.uniform(0.02, 0.2), dtype=np.float32)
    return _blend(image, inside, draw_polygon(size, outline) * rng.uniform(0.75, 1.0))


_KINDS: tuple[Callable[[Image, Point, Generator], Image], ...] = (_scratches, _scuff, _dent, _crack, _hole)
_SHARES = (0.32, 0.2, 0.3, 0.1, 0.08)


def _wander(
    start: NDArray[np.float64], direction: float, length: float, rng: Generator, *, centred: bool = True
) -> list[Point]:
    """A line of about `length` pixels that drifts a little from its direction; through `start`, or from it."""
    steps = 8
    angles = direction + np.cumsum(rng.normal(0, 0.08, steps))
    moves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / steps
    points = start + np.vstack([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
    if centred:
        points = points - (points[-1] - points[0]) / 2
    return [(float(x), float(y)) for x, y in points]


def _axes(direction: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cosine, sine = math.cos(direction), math.sin(direction)
    return np.array([cosine, sine]), np.array([-sine, cosine])


def _bump(size: int, place: Point, direction: float, length: float, breadth: float) -> Image:
    """A smooth hill of height 1, of shape (size, size): an elliptic Gaussian."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    axis, normal = _axes(direction)
    along = ((x - place[0]) * axis[0] + (y - place[1]) * axis[1]) / length
    across = ((x - place[0]) * normal[0] + (y - place[1]) * normal[1]) / breadth
    return np.asarray(np.exp(-0.5 * (along**2 + across**2)), dtype=np.float32)


def _displace(image: Image, shift_x: Image, shift_y: Image) -> Image:
    """The image read at displaced places, bilinear, the edge repeated."""
    size = image.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = np.clip(x + shift_x, 0, size - 1.001), np.clip(y + shift_y, 0, size - 1.001)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1 - right_share) + image[top, left + 1] * right_share
    lower = image[top + 1, left] * (1 - right_share) + image[top + 1, left + 1] * right_share
    return np.asarray(upper * (1 - low_share) + lower * low_share, dtype=np.float32)


def _patchy(size: int, rng: Generator) -> Image:
    """Coverage that varies smoothly between about 0.3 and 1, as wear does."""
    coarse = rng.uniform(0.0, 1.3, size=(9, 9))
    at = np.linspace(0, 8, size)
    rows = np.stack([np.interp(at, np.arange(9), column) for column in coarse.T], axis=1)
    smooth = np.stack([np.interp(at, np.arange(9), row) for row in rows])
    return np.asarray(np.clip(0.3 + 0.7 * smooth, 0.0, 1.0), dtype=np.float32)


def _bare_colour(image: Image, place: Point, rng: Generator) -> Image:
    """What lies under the paint or is left on it: primer, metal, another car's paint; rarely the paint's own tone."""
    x, y = int(place[0]), int(place[1])
    paint = image[max(0, y - 6) : y + 6, max(0, x - 6) : x + 6].mean(axis=(0, 1))
    if rng.random() < 0.15:
        return rng.uniform(0.0, 1.0, 3).astype(np.float32)
    lighter = float(paint.mean()) < 0.55 if rng.random() < 0.75 else float(paint.mean()) < 0.3
    tone = float(paint.mean()) + rng.uniform(0.2, 0.6) * (1 if lighter else -1)
    tint = 0.35 * (paint - paint.mean())
    return np.asarray(np.clip(tone + tint, 0.02, 0.98), dtype=np.float32)


def _blend(image: Image, colour: Image, mask: Image) -> Image:
    covering = mask[..., None]
    return np.asarray(image * (1 - covering) + colour * covering, dtype=np.float32)
