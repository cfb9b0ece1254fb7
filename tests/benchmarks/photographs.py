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
    """A folder of returns, VEHICLE/RETURN/NN.jpg, kept under build/bench; a photo once made is never made again."""
    folder = BUILD / f"photos-{sets}x{photos_each}"
    if (folder / "complete").exists():
        return folder / "returns"
    for number in range(sets):
        made = _made(number, photos_each)
        target = folder / "returns" / f"V{number:04}" / "R1"
        target.mkdir(parents=True, exist_ok=True)
        for photo in made:
            if not (target / photo.name).exists():
                (target / photo.name).hardlink_to(photo)
    (folder / "complete").touch()
    return folder / "returns"


def _made(number: int, photos: int) -> list[Path]:
    """One set's photos, in a folder that all lists of sets share."""
    folder = BUILD / "photographs" / f"{number:04}x{photos}"
    paths = [folder / f"{index:02}.jpg" for index in range(photos)]
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, photographs(photos, seed=number), strict=True):
            path.write_bytes(data)
        (folder / "complete").touch()
    return paths


def _picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 RGB (3000, 4000, 3)."""
    share = np.float32(rng.uniform(0.35, 0.65))
    grey = _cut(_texture(), *rng.integers(0, _TEXTURE, 2)) * share
    top, left = rng.integers(0, _TEXTURE, 2)
    grey += _cut(_texture(), top, (-left - WIDTH) % _TEXTURE)[:, ::-1] * (1 - share)  # mirrored
    down, across = (np.float32(value) for value in rng.uniform(-25, 25, 2))
    grey += np.linspace(-down, down, HEIGHT, dtype=np.float32)[:, None]
    grey += np.linspace(-across, across, WIDTH, dtype=np.float32)[None, :]
    grey += _cut(_grain(), *(-rng.integers(0, _TEXTURE, 2) % _TEXTURE))
    tint = rng.uniform(-20, 20, 3).astype(np.float32)
    colour = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        np.clip(grey + (128 + tint[channel]), 0, 255, out=colour[..., channel], casting="unsafe")
    return colour


def _cut(periodic: NDArray[np.float32], top: int, left: int) -> NDArray[np.float32]:
    """A photo's size of it, from anywhere; a view, for copies of the whole took most of the time."""
    return periodic[top : top + HEIGHT, left : left + WIDTH]


def _repeated(once: NDArray[np.float64]) -> NDArray[np.float32]:
    """So much of a periodic picture beside itself that a photo fits in, wherever it begins."""
    return np.pad(once.astype(np.float32), ((0, HEIGHT), (0, WIDTH)), mode="wrap")


@cache
def _texture() -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency as in natural pictures; periodic, mean 0, deviation 65."""
    rng = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(_TEXTURE)[:, None], np.fft.rfftfreq(_TEXTURE)[None, :]
    amplitude = np.maximum(np.hypot(rows, columns), 1 / _TEXTURE) ** -1.25
    made = np.fft.irfft2(amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape)), (_TEXTURE, _TEXTURE))
    return _repeated(65 * made / made.std())


@cache
def _grain() -> NDArray[np.float32]:
    return _repeated(np.random.default_rng(1).normal(0, _GRAIN, (_TEXTURE, _TEXTURE)))


if __name__ == "__main__":
    photo_sets(int(sys.argv[1]))
