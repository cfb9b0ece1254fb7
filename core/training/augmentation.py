"""Other photos of the same thing: framing, light, lens, upload and what stands before it may change, the label may not.

Every choice is drawn from the generator that is handed in, so that a seed fixes every pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from core.domain import Pixels
from core.training.distort import Box, blur, coarsen, compress, crop_square, warp
from core.training.synthesis import paint_damage


@dataclass(frozen=True, slots=True)
class Framing:
    """Which share of a photo's area a crop keeps, drawn between `least` and `most`."""

    least: float
    most: float


# A tight crop of a damaged car may leave the damage out, a tight crop of an intact one is an intact part.
WIDE = Framing(0.55, 1.0)
CLOSE_UP = Framing(0.1, 0.55)


def augment(pixels: Pixels, framing: Framing, size: int, rng: Generator, *, damage: bool = False) -> Pixels:
    """One augmented view, uint8 RGB (size, size, 3), of a decoded photo (H, W, 3).

    With `damage`, damage is painted on after the framing and before light and lens, which treat it like the rest.
    """
    height, width = pixels.shape[:2]
    view = crop_square(pixels, _random_box(width, height, framing, rng), size)
    if rng.random() < 0.35:
        view = warp(view, _random_corners(rng))
    if rng.random() < 0.5:
        view = np.ascontiguousarray(view[:, ::-1])
    if damage:
        view = paint_damage(view, rng)
    if rng.random() < 0.2:
        view = _occlude(view, rng)
    return alter(view, rng)


def alter(view: Pixels, rng: Generator) -> Pixels:
    """Other light, another lens, another upload; everything stays where it is."""
    return _degrade(_relight(view, rng), rng)


def _random_box(width: int, height: int, framing: Framing, rng: Generator) -> Box:
    area = rng.uniform(framing.least, framing.most) * width * height
    aspect = width / height * np.exp(rng.uniform(-0.3, 0.3))
    box_width = min(float(width), float(np.sqrt(area * aspect)))
    box_height = min(float(height), float(np.sqrt(area / aspect)))
    left, top = rng.uniform(0, width - box_width), rng.uniform(0, height - box_height)
    return left, top, min(left + box_width, float(width)), min(top + box_height, float(height))


def _random_corners(rng: Generator) -> list[tuple[float, float]]:
    """The photo's corners, turned by a few degrees and each pushed inwards a little."""
    angle = rng.uniform(-0.12, 0.12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]) * rng.uniform(0.84, 1.0, (4, 2))
    reach = np.abs(np.cos(angle)) + np.abs(np.sin(angle))
    return [(float(x), float(y)) for x, y in 0.5 + 0.5 * corners @ turn / reach]


def _occlude(view: Pixels, rng: Generator) -> Pixels:
    """A blank plate-shaped board somewhere, or one edge of the photo hidden by something plain."""
    size = view.shape[0]
    covered = view.copy()
    colour = rng.integers(0, 256, 3)
    if rng.random() < 0.6:
        height = int(rng.uniform(0.05, 0.11) * size)
        width = int(height * rng.uniform(2.0, 4.5))
        left, top = rng.integers(0, size - width), rng.integers(size // 3, size - height)
        covered[top : top + height, left : left + width] = colour
    else:
        depth = int(rng.uniform(0.04, 0.14) * size)
        side = np.rot90(covered, int(rng.integers(0, 4)))  # a view: writing to it writes to `covered`
        side[:depth] = colour
    return covered


def _relight(view: Pixels, rng: Generator) -> Pixels:
    """Exposure, contrast, gamma and colour cast, as one table a channel; then saturation."""
    tone = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-0.35, 0.35))
    tone = (tone - 0.5) * rng.uniform(0.75, 1.3) + 0.5 + rng.uniform(-0.12, 0.12)
    table = (tone * rng.uniform(0.92, 1.08, 3)).astype(np.float32)
    image = np.stack([table[view[..., channel], channel] for channel in range(3)], axis=2)
    saturation = np.float32(0.0 if rng.random() < 0.05 else rng.uniform(0.5, 1.5))
    grey = image.mean(axis=2, keepdims=True)
    relit: Pixels = np.clip((grey + (image - grey) * saturation) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return relit


def _degrade(view: Pixels, rng: Generator) -> Pixels:
    """Lost resolution, focus, sensor noise and compression, each sometimes."""
    size = view.shape[0]
    if rng.random() < 0.3:
        view = coarsen(view, int(rng.uniform(0.45, 0.95) * size))
    if rng.random() < 0.15:
        view = blur(view, rng.uniform(0.3, 1.4) * size / 224)
    if rng.random() < 0.2:
        noisy = view + rng.standard_normal(view.shape, dtype=np.float32) * np.float32(rng.uniform(2, 10))
        view = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        view = compress(view, int(rng.integers(40, 96)))
    return view
