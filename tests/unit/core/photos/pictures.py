"""Pictures made up for tests."""

import io
from typing import Any

import numpy as np
from PIL import Image

from core.domain import Pixels


def scene(width: int, height: int, seed: int = 0) -> Pixels:
    """Uint8 RGB (height, width, 3) with structure of all sizes, as photos have, and four corners that differ."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (2, 6, 18, 54):
        patch = Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8))
        picture += np.asarray(patch.resize((width, height), Image.Resampling.BICUBIC), np.float32) / cells**0.5
    lowest = float(picture.min())
    return ((picture - lowest) * (255 / (float(picture.max()) - lowest))).astype(np.uint8)


def encoded(picture: Pixels | Image.Image, format_: str, **options: Any) -> bytes:
    """A file's bytes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference in grey levels."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def on_plain(colour: str, size: tuple[int, int] = (900, 700)) -> Image.Image:
    """A scene on a large plain area, which compressed data may code as zeros in a row."""
    image = Image.new("RGB", size, colour)
    image.paste(Image.fromarray(scene(300, 200)), (250, 200))
    return image


def with_hole(data: bytes, place: float, size: int, first: int) -> bytes:
    """The file with `size` bytes of zeros at `place` (0 to 1) of what lies behind its byte `first`."""
    start = first + int((len(data) - first - size) * place)
    return data[:start] + bytes(size) + data[start + size :]
