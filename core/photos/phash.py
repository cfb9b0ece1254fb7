"""The perceptual hash of a photo, nearly the same after resizing and compression; compared by `core.phash_bits`."""

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
    imagehash's `phash(hash_size=16)` to the bit, which a test checks: importing imagehash here would load scipy into
    each decoding process.
    """
    grey = Image.fromarray(pixels).convert("L").resize((_SIZE, _SIZE), Image.Resampling.LANCZOS)
    cosines = _cosines()
    # Round first: on a uniform surface, absent frequencies differ by rounding error only, which would set random bits.
    low = np.round(cosines @ np.asarray(grey, dtype=np.float64) @ cosines.T, 6)
    return np.packbits(low > np.median(low)).tobytes().hex()


@cache
def _cosines() -> NDArray[np.float64]:
    """The discrete cosine transform (type II, not normalised) of the lowest frequencies, (frequency, place)."""
    frequency, place = np.arange(SIDE)[:, None], np.arange(_SIZE)[None]
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIZE)))
