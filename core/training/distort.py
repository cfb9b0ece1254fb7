"""Pixel operations of training's augmentation that need Pillow: what a camera, a crop or an upload does to a photo.

All take and give uint8 RGB (H, W, 3); none changes its argument.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from core.domain import Pixels

Box = tuple[float, float, float, float]
Point = tuple[float, float]
_SUPERSAMPLING = 4


def crop_square(pixels: Pixels, box: Box, size: int) -> Pixels:
    """The part of the photo in `box` (left, top, right, bottom; pixels) as size x size, resized as in serving."""
    image = Image.fromarray(pixels)
    resized = image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    return np.asarray(resized)


def warp(pixels: Pixels, corners: Sequence[Point]) -> Pixels:
    """Perspective: the four `corners` (shares of width and height; clockwise from top left) become the whole photo."""
    height, width = pixels.shape[:2]
    source = np.asarray(corners, dtype=np.float64) * (width, height)
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    data = _perspective(source, target)
    image = Image.fromarray(pixels)
    warped = image.transform((width, height), Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC)
    return np.asarray(warped)


def compress(pixels: Pixels, quality: int) -> Pixels:
    """What a JPEG of this quality (1 to 95) leaves."""
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=quality)
    with Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def coarsen(pixels: Pixels, side: int) -> Pixels:
    """What is left after the photo was once `side` pixels wide and high."""
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def blur(pixels: Pixels, radius: float) -> Pixels:
    """Out of focus by a Gaussian of `radius` pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def fill_polygon(side: int, outline: Sequence[Point]) -> NDArray[np.uint8]:
    """A polygon of (x, y) in pixels filled with 255, the rest 0; uint8 (side, side), not antialiased."""
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in outline], fill=255)
    return np.asarray(image)


def average(channel: NDArray[np.uint8], box: Box, side: int) -> NDArray[np.uint8]:
    """The means of side x side equal parts of a window (left, top, right, bottom; pixels) of a uint8 (H, W)."""
    image = Image.fromarray(np.ascontiguousarray(channel))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX, box=box))


def draw_strokes(size: int, strokes: Sequence[Sequence[Point]], widths: Sequence[float]) -> NDArray[np.float32]:
    """Antialiased lines through `strokes` (x, y in pixels), as coverage 0..1 of shape (size, size)."""
    canvas, draw = _canvas(size)
    for stroke, width in zip(strokes, widths, strict=True):
        draw.line(_scaled(stroke), fill=255, width=max(1, round(width * _SUPERSAMPLING)), joint="curve")
    return _coverage(canvas, size)


def draw_polygon(size: int, outline: Sequence[Point]) -> NDArray[np.float32]:
    """An antialiased filled polygon, as coverage 0..1 of shape (size, size)."""
    canvas, draw = _canvas(size)
    draw.polygon(_scaled(outline), fill=255)
    return _coverage(canvas, size)


def _canvas(size: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("L", (size * _SUPERSAMPLING, size * _SUPERSAMPLING))
    return canvas, ImageDraw.Draw(canvas)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * _SUPERSAMPLING, y * _SUPERSAMPLING) for x, y in points]


def _coverage(canvas: Image.Image, size: int) -> NDArray[np.float32]:
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX), dtype=np.float32) / 255.0


def _perspective(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """Pillow's eight coefficients, which map `target` points back to `source` points."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(values))]
