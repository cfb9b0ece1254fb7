"""How a photo looks whatever its size and compression: a perceptual hash, compared by `core.phash_bits`."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain import Pixels
from core.phash_bits import SIDE

_SIZE = 4 * SIDE


def perceptual_hash(pixels: Pixels) -> str:
    """256 bits that change little when a photo (uint8 RGB, H x W x 3) is resized or compressed, as 64 hex digits.

    Each bit tells whether one of the photo's 16 x 16 lowest frequencies is above their median (pHash). Equal to
    imagehash's `phash(hash_size=16)` to the bit, which a test holds: to import that here would cost each decoding
    process its scipy.
    """
    grey = Image.fromarray(pixels).convert("L").resize((_SIZE, _SIZE), Image.Resampling.LANCZOS)
    cosines = _cosines()
    # Rounded, or the frequencies that a plain surface has not would be told apart by their rounding errors.
    low = np.round(cosines @ np.asarray(grey, dtype=np.float64) @ cosines.T, 6)
    return np.packbits(low > np.median(low)).tobytes().hex()


@cache
def _cosines() -> NDArray[np.float64]:
    """The discrete cosine transform (type II, not normalised) of the lowest frequencies, (frequency, place)."""
    frequency, place = np.arange(SIDE)[:, None], np.arange(_SIZE)[None]
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIZE)))
