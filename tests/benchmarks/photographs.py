"""Photographs of 12 megapixels for benchmarks, made here: texture with the spectrum of natural pictures, and grain.

`python -m tests.benchmarks.photographs 120` makes 120 returns of ten ahead of a run that wants them.
"""

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.benchmarks.measured import BUILD

WIDTH, HEIGHT = 4000, 3000
QUALITY = 90
# Sides of the periodic texture that every photo is cut from: larger than a photo, and quick for the FFT.
_TEXTURE = 4608
_GRAIN = 3.0


def photographs(count: int, seed: int = 0) -> Iterator[bytes]:
    """Distinct baseline JPEGs, 4000 x 3000, 4:2:0, 3 to 4 MB each; the same for the same seed.

    Each is two cuts of one texture at places of its own, one upright and one mirrored, mixed, tinted, lit from a side
    of its own, with fresh grain: another content hash and another perceptual hash than every other photo's.
    """
    rng = np.random.default_rng([seed, 1])
    for _ in range(count):
        target = io.BytesIO()
        Image.fromarray(_picture(rng)).save(target, "JPEG", quality=QUALITY)
        yield target.getvalue()


def photo_sets(sets: int, photos_each: int = 10) -> Path:
    """A folder of returns, VEHICLE/RETURN/NN.jpg, kept under build/bench; what is there already is not made again."""
    folder = BUILD / f"photos-{sets}x{photos_each}"
    if (folder / "complete").exists():
        return folder / "returns"
    for number in range(sets):
        made = folder / "returns" / f"V{number:04}" / "R1"
        if len(list(made.glob("*.jpg"))) == photos_each:
            continue
        made.mkdir(parents=True, exist_ok=True)
        for index, data in enumerate(photographs(photos_each, seed=number)):
            (made / f"{index:02}.jpg").write_bytes(data)
    (folder / "complete").touch()
    return folder / "returns"


def _picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 RGB (3000, 4000, 3)."""
    texture = _texture()
    share = np.float32(rng.uniform(0.35, 0.65))
    grey = _cut(texture, rng) * share
    grey += _cut(texture[:, ::-1], rng) * (1 - share)
    down, across = (np.float32(value) for value in rng.uniform(-25, 25, 2))
    grey += np.linspace(-down, down, HEIGHT, dtype=np.float32)[:, None]
    grey += np.linspace(-across, across, WIDTH, dtype=np.float32)[None, :]
    grey += np.roll(_grain(), tuple(rng.integers(0, _TEXTURE, 2)), (0, 1))[:HEIGHT, :WIDTH]
    tint = rng.uniform(-20, 20, 3).astype(np.float32)
    colour = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        np.clip(grey + (128 + tint[channel]), 0, 255, out=colour[..., channel], casting="unsafe")
    return colour


def _cut(texture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A photo's size of the periodic texture, from anywhere."""
    top, left = rng.integers(0, _TEXTURE, 2)
    return np.roll(texture, (-top, -left), (0, 1))[:HEIGHT, :WIDTH]


@cache
def _texture() -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency as in natural pictures; periodic, mean 0, deviation 65."""
    rng = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(_TEXTURE)[:, None], np.fft.rfftfreq(_TEXTURE)[None, :]
    amplitude = np.maximum(np.hypot(rows, columns), 1 / _TEXTURE) ** -1.25
    made = np.fft.irfft2(amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape)), (_TEXTURE, _TEXTURE))
    return np.asarray(65 * made / made.std(), np.float32)


@cache
def _grain() -> NDArray[np.float32]:
    return np.asarray(np.random.default_rng(1).normal(0, _GRAIN, (_TEXTURE, _TEXTURE)), np.float32)


if __name__ == "__main__":
    photo_sets(int(sys.argv[1]))
