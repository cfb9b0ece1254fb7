"""Cheap measures of a photo's pixels: sharpness, brightness, contrast. `core.photos.usability` judges them.

All are taken on the grey picture reduced to `_SIDE` pixels, about what the network sees, so that a photo's resolution
hardly changes them.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain import Pixels, Quality

_SIDE = 256
_DARK = 16
_BRIGHT = 250


def measure_quality(pixels: Pixels) -> Quality:
    """Measure uint8 RGB (H, W, 3), in a few milliseconds.

    `sharpness` is the standard deviation of the Laplacian over that of the grey levels; `brightness` their mean and
    `contrast` their standard deviation, as shares of full scale; `dark_share` and `bright_share` the shares of pixels
    under 16 and from 250 of 255.
    """
    image = Image.fromarray(pixels).convert("L")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    grey = np.asarray(image, np.float32)
    deviation = float(grey.std())
    return Quality(
        sharpness=float(_laplacian(grey).std()) / (deviation + 1.0),
        brightness=float(grey.mean()) / 255,
        dark_share=float((grey < _DARK).mean()),
        bright_share=float((grey >= _BRIGHT).mean()),
        contrast=deviation / 255,
    )


def _laplacian(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The discrete Laplacian of (H, W), edge pixels repeated, so that it has a value in any picture."""
    padded = np.pad(grey, 1, mode="edge")
    return padded[1:-1, :-2] + padded[1:-1, 2:] + padded[:-2, 1:-1] + padded[2:, 1:-1] - 4 * grey
