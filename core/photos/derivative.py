"""Pictures for pages: small, re-encoded from pixels, so that no metadata of the original is kept."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain import Pixels

_JPEG_QUALITY = 82
# Colours from a little to much evidence, of evenly growing lightness: part of matplotlib's `inferno` (CC0),
# which colour-blind people can read, and which stays readable in grey.
_RAMP = np.array(
    [(120, 28, 109), (165, 44, 96), (207, 68, 70), (237, 105, 37), (251, 155, 6), (247, 209, 61), (252, 255, 164)],
    dtype=np.float32,
)
_MAX_OPACITY = 0.6  # the damage itself must stay visible


def thumbnail(pixels: Pixels, longest: int = 480) -> bytes:
    """A JPEG of uint8 RGB (H, W, 3), its longer side at most `longest` pixels."""
    return _as_jpeg(_fitted(pixels, longest))


def overlay(pixels: Pixels, heatmap: NDArray[np.float32], longest: int = 480, full_scale: float | None = None) -> bytes:
    """The same JPEG with the evidence for damage painted over it.

    `heatmap` is float32 (rows, columns) over the whole photo: what each cell adds to the logit. Cells that are not
    positive stay unpainted; `full_scale` is the contribution painted strongest, by default the heatmap's own maximum.
    """
    photo = _fitted(pixels, longest)
    evidence = np.nan_to_num(np.asarray(heatmap, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    scale = full_scale if full_scale is not None else float(evidence.max(initial=0.0))
    if scale <= 0:
        return _as_jpeg(photo)
    cells = Image.fromarray(np.clip(evidence / scale, 0, 1))
    strength = np.clip(np.asarray(cells.resize(photo.size, Image.Resampling.BICUBIC)), 0, 1)
    opacity = (_MAX_OPACITY * strength)[..., np.newaxis]
    painted = np.asarray(photo, np.float32) * (1 - opacity) + _colours(strength) * opacity
    return _as_jpeg(Image.fromarray(np.rint(painted).astype(np.uint8)))


def restore_proportions(view: Pixels, width: int, height: int) -> Pixels:
    """Give a square view of a whole photo the proportions of the photo's `width` x `height`; uint8 RGB."""
    longest = max(width, height)
    size = (max(1, round(view.shape[1] * width / longest)), max(1, round(view.shape[0] * height / longest)))
    return np.asarray(Image.fromarray(view).resize(size, Image.Resampling.LANCZOS))


def _colours(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ramp's colour at each strength from 0 to 1, float32 (..., 3)."""
    stops = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(strength, stops, channel) for channel in _RAMP.T], axis=-1).astype(np.float32)


def _fitted(pixels: Pixels, longest: int) -> Image.Image:
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _as_jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return file.getvalue()
