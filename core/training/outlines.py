"""Where damage is known to be: outlines and boxes of photos, and their share of each cell of a map."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetInvalid
from core.model.outline_branch import KINDS
from core.training.dataset import Sample
from core.training.distort import Box, average, fill_polygon

Coverage = NDArray[np.uint8]

# Channels of a map of known damage: any damage, each kind, and what is only known to hold damage somewhere (boxes).
CHANNELS = 2 + len(KINDS)
UNCERTAIN = CHANNELS - 1
_CANVAS = 512  # pixels on which outlines are drawn


@dataclass(frozen=True, slots=True)
class Region:
    """One damage: a polygon of (x, y) in shares of the photo, its kind where known; a box is only a bound of it."""

    polygon: NDArray[np.float64]
    kind: str = "unknown"
    box: bool = False


Regions = tuple[Region, ...]


def read_regions(path: Path) -> dict[str, Regions]:
    """Regions by the photo's name from a file of outlines (`polygons`, `classes`) or of boxes (`boxes_xywh` alone).

    A photo without any region is known to show no damage. Raises `DatasetInvalid`.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["items"]
        return {str(item["file"]): _regions(item) for item in items}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetInvalid(f"{path} cannot be read as damage outlines ({error!r})") from error


def read_outlined_samples(path: Path) -> list[Sample]:
    """The photos of a file of outlines as damaged samples, by its own split, group and source. Raises `DatasetInvalid`.

    Those without any region are left out: outlines say where damage is, a manifest says that there is none.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["items"]
        return [
            Sample(
                path=path.parent / item["file"],
                name=item["file"],
                damaged=True,
                split=item.get("split") or "train",
                group=item.get("group") or item["file"],
                source=item.get("source_repo") or "unknown",
                licence=item.get("licence") or "not stated",
            )
            for item in items
            if item.get("polygons") or item.get("boxes_xywh")
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetInvalid(f"{path} cannot be read as damage outlines ({error!r})") from error


def _regions(item: dict[str, object]) -> Regions:
    scale = np.array([item["width"], item["height"]], dtype=np.float64)
    if "polygons" in item:
        polygons: list[list[list[float]]] = item["polygons"]  # type: ignore[assignment]
        kinds: list[str] = item.get("classes") or ["unknown"] * len(polygons)  # type: ignore[assignment]
        return tuple(
            Region(np.asarray(polygon, dtype=np.float64) / scale, kind)
            for polygon, kind in zip(polygons, kinds, strict=True)
        )
    corners = [_corners(*box) for box in item["boxes_xywh"]]  # type: ignore[attr-defined]
    return tuple(Region(corner / scale, "scratch", box=True) for corner in corners)


def _corners(left: float, top: float, width: float, height: float) -> NDArray[np.float64]:
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def draw(regions: Regions) -> Coverage:
    """The regions over the whole photo: 0 or 255, uint8 (512, 512, CHANNELS)."""
    canvas = np.zeros((_CANVAS, _CANVAS, CHANNELS), dtype=np.uint8)
    for region in regions:
        filled = fill_polygon(_CANVAS, list(region.polygon * _CANVAS))
        channels = [0]
        if region.kind in KINDS:
            channels.append(1 + KINDS.index(region.kind))
        if region.box:
            channels.append(UNCERTAIN)
        for channel in channels:
            np.maximum(canvas[..., channel], filled, out=canvas[..., channel])
    return canvas


def cover(drawn: Coverage, box: Box, side: int) -> Coverage:
    """What share of each cell of a window (shares of the photo) is covered, 0 to 255: uint8 (side, side, CHANNELS)."""
    left, top, right, bottom = (edge * _CANVAS for edge in box)
    channels = [average(drawn[..., at], (left, top, right, bottom), side) for at in range(drawn.shape[-1])]
    return np.stack(channels, axis=-1)
