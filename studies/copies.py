"""How often the perceptual hash takes other photos for copies, and misses real ones: the figures of docs/verdicts.md.

python -m studies.copies --data ../shared/data
"""

import argparse
from collections.abc import Callable, Sequence
from math import cos, radians, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from core.domain import Pixels
from core.model.artefact import open_artefact
from core.phash_bits import COARSE_BITS, bands, differing_bits, differing_coarse_bits, near_halves, near_pairs
from core.photos.decode import min_side_for
from core.photos.phash import perceptual_hash
from core.settings import SHIPPED_MODEL
from core.training.dataset import Sample, read_samples
from core.training.distort import compress, warp
from db.transactions.reuse import ALL_BITS

Pair = tuple[int, int]


def cut(pixels: Pixels, share: float) -> Pixels:
    """Without this share of its width and height at each edge."""
    height, width = pixels.shape[:2]
    across, down = round(share * width), round(share * height)
    return pixels[down : height - down, across : width - across]


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """Turned about its middle and zoomed until no corner is empty, as the editors of phones do."""
    height, width = pixels.shape[:2]
    angle = radians(degrees)
    # The largest frame of the photo's shape within the photo that was turned.
    zoom = cos(angle) + sin(angle) * max(width / height, height / width)
    corners = []
    for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        across, down = x * width / zoom, y * height / zoom
        corners.append(
            (
                0.5 + (across * cos(angle) - down * sin(angle)) / width,
                0.5 + (across * sin(angle) + down * cos(angle)) / height,
            )
        )
    return warp(pixels, corners)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG at quality 30": lambda pixels: compress(pixels, 30),
    "brightness + 15 %": lambda pixels: np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(1.15)),
    "contrast + 20 %": lambda pixels: np.asarray(ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(1.2)),
    "1 % cut off each edge": lambda pixels: cut(pixels, 0.01),
    "3 % cut off each edge": lambda pixels: cut(pixels, 0.03),
    "turned by 1°": lambda pixels: turned(pixels, 1.0),
    "mirrored": lambda pixels: pixels[:, ::-1].copy(),
}


def pairs_sharing(stored: Sequence[Sequence[int]], asked: Sequence[Sequence[Sequence[int]]]) -> set[Pair]:
    """The pairs that indexes bring: `stored` is each photo's value in each index, `asked` what it looks up there."""
    found: set[Pair] = set()
    for index in range(len(stored[0])):
        holders: dict[int, list[int]] = {}
        for photo, values in enumerate(stored):
            holders.setdefault(values[index], []).append(photo)
        for photo, wanted in enumerate(asked):
            found.update((other, photo) for value in wanted[index] for other in holders.get(value, ()) if other < photo)
    return found


def halves(phash: str) -> tuple[int, ...]:
    """The values that the two indexes hold of a photo (`db.models.two_bands`)."""
    first, second, third, fourth = bands(phash)
    return first << 16 | second, third << 16 | fourth


def print_different(samples: Sequence[Sample], hashes: Sequence[str]) -> None:
    """Pairs of different photos that would count as copies, and those that the indexes bring to be compared."""
    groups = [sample.group for sample in samples]
    _, sizes = np.unique(groups, return_counts=True)
    of_group = int((sizes * (sizes - 1) // 2).sum())
    near = near_pairs(hashes, ALL_BITS)
    for name, same, total in (
        ("other groups", False, len(samples) * (len(samples) - 1) // 2 - of_group),
        ("of one group", True, of_group),
    ):
        found = [(a, b) for a, b in near if (groups[a] == groups[b]) == same]
        coarse = [(a, b) for a, b in found if differing_coarse_bits(hashes[a], hashes[b]) <= COARSE_BITS]
        print(f"different photos, {name}: {len(found)} and {len(coarse)} of {total} pairs")
    brought = pairs_sharing([halves(phash) for phash in hashes], [near_halves(phash) for phash in hashes])
    print(f"brought by the indexes: {len(brought)} pairs")


def print_copies(hashes: Sequence[str], changed: dict[str, list[str]]) -> None:
    """How many copies are found, by what was done to them."""
    for name, copies in changed.items():
        pairs = list(zip(hashes, copies, strict=True))
        close = [differing_bits(*pair) <= ALL_BITS for pair in pairs]
        both = [near and differing_coarse_bits(*pair) <= COARSE_BITS for near, pair in zip(close, pairs, strict=True)]
        print(f"{name:22} {sum(close) / len(pairs):.1%} and {sum(both) / len(pairs):.1%} of {len(pairs)} found")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="Only every so many photos.")
    given = parser.parse_args()
    min_side = min_side_for(open_artefact(SHIPPED_MODEL).card.input.plan)
    samples = read_samples(given.data / "dev" / "manifest.csv")[:: given.every]
    hashes: list[str] = []
    changed: dict[str, list[str]] = {name: [] for name in CHANGES}
    for sample in samples:
        pixels = sample.pixels(min_side)
        hashes.append(perceptual_hash(pixels))
        for name, change in CHANGES.items():
            changed[name].append(perceptual_hash(change(pixels)))
    print_different(samples, hashes)
    print_copies(hashes, changed)


if __name__ == "__main__":
    main()
