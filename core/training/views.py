"""What training looks at: whole photos and windows of them, each with what is known of its damage."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from core.domain import Pixels
from core.photos.decode import decode
from core.training.augmentation import alter
from core.training.dataset import Sample
from core.training.distort import Box, crop_square
from core.training.outlines import CHANNELS, Coverage, Regions, cover, draw
from core.training.synthesis import paint_damage
from core.training.windows import WHOLE, clear_window, damaged_window, random_window

_ALTERED = 0.5  # of all views get other light, noise, compression
_ATTRIBUTES = ("source", "framing", "size", "compression")
_LEAST_SIDE = 64
_PAINT_STEP = 8  # grey levels that a pixel must change by to count as painted


@dataclass(frozen=True, slots=True)
class View:
    """A window of a sample (shares of its sides), or all of it.

    `mapped`: its damage is known cell by cell. `number` is the seed's; with `altered` light and compression change.
    """

    sample: int
    box: Box
    damaged: bool
    mapped: bool
    mirrored: bool = False
    altered: bool = False
    painted: bool = False
    number: int = 0

    @property
    def framing(self) -> str:
        """Whether the photo or a window of it is shown."""
        return "photo" if self.box == WHOLE else "window"


def plan_views(samples: Sequence[Sample], outlines: Mapping[str, Regions], seed: int, painted: float) -> list[View]:
    """The views of training photos, in an order that a run may stop at anywhere.

    An outlined photo is seen whole, and in windows with damage and clear of it. An intact one is seen whole and in a
    window, and a share `painted` of them with painted damage too, so that a source of intact photos alone does not tell
    the label. Of a damaged photo without outlines only the label is known.
    """
    views: list[View] = []
    for index, sample in enumerate(samples):
        rng = np.random.default_rng([seed, name_number(sample)])
        views += _views_of(index, sample, outlines.get(sample.name), rng, painted)
    order = np.random.default_rng([seed, 1]).permutation(len(views))
    return [views[at] for at in order]


def _views_of(index: int, sample: Sample, regions: Regions | None, rng: Generator, painted: float) -> list[View]:
    boxes: list[tuple[Box | None, bool, bool]] = []  # window, damaged, painted
    if not sample.damaged:
        boxes = [(WHOLE, False, False)]
        closer = random_window(rng, (0.3, 0.8))
        if sample.view == "whole" or rng.random() < 0.4:
            boxes.append((closer, False, False))
        if rng.random() < painted:
            boxes.append((WHOLE if rng.random() < 0.5 else closer, True, True))
    elif not regions:
        boxes = [(WHOLE, True, False)]
    else:
        drawn = draw(regions)
        windows = 2 if all(region.kind != "unknown" for region in regions) else 1
        boxes = [(WHOLE, True, False)] * windows
        if not regions[0].box or sample.view != "part":
            boxes += [(damaged_window(drawn, rng), True, False) for _ in range(windows)]
        boxes += [(clear_window(drawn, rng), False, False) for _ in range(windows)]
    return [
        View(
            index,
            box,
            damaged=damaged,
            mapped=not damaged or painted_on or bool(regions),
            mirrored=bool(rng.random() < 0.5),
            altered=bool(rng.random() < _ALTERED),
            painted=painted_on,
            number=number,
        )
        for number, (box, damaged, painted_on) in enumerate(boxes)
        if box is not None
    ]


def render(sample: Sample, view: View, regions: Regions, size: int, cells: int, seed: int) -> tuple[Pixels, Coverage]:
    """Pixels, uint8 RGB (size, size, 3), and known damage, uint8 (cells, cells, CHANNELS). Raises `PhotoRefused`."""
    rng = np.random.default_rng([seed, 2, name_number(sample), view.number])
    photo = sample.pixels(round(1.5 * size / min(view.box[2] - view.box[0], view.box[3] - view.box[1])))
    height, width = photo.shape[:2]
    left, top, right, bottom = view.box
    pixels = crop_square(photo, (left * width, top * height, right * width, bottom * height), size)
    known = cover(draw(regions), view.box, cells) if view.damaged and regions else _blank(cells)
    if view.painted:
        painted = paint_damage(pixels, rng)
        known = _painted(pixels, painted, cells)
        pixels = painted
    if view.mirrored:
        pixels, known = np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(known[:, ::-1])
    return (alter(pixels, rng) if view.altered else pixels), known


def _blank(cells: int) -> Coverage:
    return np.zeros((cells, cells, CHANNELS), dtype=np.uint8)


def _painted(before: Pixels, after: Pixels, cells: int) -> Coverage:
    changed = np.abs(after.astype(np.int16) - before).max(axis=2) >= _PAINT_STEP
    drawn = np.zeros((*changed.shape, CHANNELS), dtype=np.uint8)
    drawn[..., 0] = changed * np.uint8(255)
    step = len(changed) // cells
    shares = drawn[: cells * step, : cells * step].reshape(cells, step, cells, step, CHANNELS).mean(axis=(1, 3))
    covered: NDArray[np.uint8] = shares.astype(np.uint8)
    return covered


def attributes_of(samples: Sequence[Sample], views: Sequence[View]) -> dict[str, NDArray[np.str_]]:
    """What else than damage could tell a view's label: source, framing, size in pixels, compression of the photo."""
    facts = {index: _size_of(samples[index]) for index in {view.sample for view in views}}
    rows = []
    for view in views:
        width, height, stored = facts[view.sample]
        left, top, right, bottom = view.box
        shown = min(width * (right - left), height * (bottom - top))
        size = np.clip(np.floor(2 * np.log2(shown / 64)), 0, 7)
        compression = np.clip(np.floor(np.log2(stored / (width * height) / 0.05)), 0, 6)
        sample = samples[view.sample]
        framing = (
            view.framing if view.framing == "window" else f"photo, {'whole' if sample.view == 'whole' else 'part'}"
        )
        rows.append((sample.source, framing, str(int(size)), str(int(compression))))
    return {name: np.array(keys) for name, keys in zip(_ATTRIBUTES, zip(*rows, strict=True), strict=True)}


def _size_of(sample: Sample) -> tuple[int, int, int]:
    """Width and height in pixels, bytes of the file."""
    data = sample.path.read_bytes()
    photo = decode(data, min_side=_LEAST_SIDE)
    return photo.width, photo.height, len(data)


def name_number(sample: Sample) -> int:
    """A number in 0..2^32 that follows from the sample's name, so that a photo looks the same in any manifest."""
    return int(hashlib.sha256(sample.name.encode()).hexdigest()[:8], 16)
