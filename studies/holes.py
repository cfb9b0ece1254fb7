"""How many holes in photos' files are refused, and how many whole files: the figures of docs/reliability.md.

python -m studies.holes --data ../shared/data

Every so many photos are saved in each format; zeros take the place of a block (`zeros`) or of the end (`tail`). A hole
that is not refused counts as missed if it changes the decoded photo by 0.05 grey levels or more on average.
"""

import argparse
import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain import Pixels
from core.errors import PhotoRefused
from core.photos.decode import decode

LONGEST = 1600
SHOWS = 0.05  # grey levels
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 88}),
    "JPEG, own tables": ("JPEG", {"quality": 75, "optimize": True}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "JPEG, restarts": ("JPEG", {"quality": 85, "restart_marker_rows": 1}),
    "PNG": ("PNG", {}),
    "WEBP": ("WEBP", {"quality": 80}),
    "WEBP, lossless": ("WEBP", {"lossless": True, "method": 1}),
    "HEIC": ("HEIF", {"quality": 75}),
}
DATA_STARTS = {"JPEG": b"\xff\xda", "PNG": b"IDAT", "WEBP": b"VP8", "HEIF": b"mdat"}


def encoded(image: Image.Image, kind: str) -> tuple[bytes, int]:
    """A file, and about where its coded data begins."""
    format_, options = KINDS[kind]
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue(), file.getvalue().index(DATA_STARTS[format_]) + 20


def with_holes(data: bytes, start: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """The file with holes of several sizes, each in one place at random and at the end."""
    for size in (16, 64, 512, 4096, len(data) // 3):
        if size < len(data) - start - 8:
            place = rng.randrange(start, len(data) - size - 4)
            yield "zeros", data[:place] + bytes(size) + data[place + size :]
            yield "tail", data[:-size] + bytes(size)


def outcome(data: bytes, whole: Pixels) -> str:
    """What becomes of a file with a hole."""
    try:
        pixels = decode(data, min_side=448).pixels
    except PhotoRefused:
        return "refused"
    shows = pixels.shape != whole.shape or np.abs(pixels.astype(int) - whole).mean() >= SHOWS
    return "missed" if shows else "does not show"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=500, help="Only every so many photos.")
    arguments = parser.parse_args()
    files = sorted(arguments.data.rglob("*.jpg"))[:: arguments.every]
    rng, counts = random.Random(0), Counter[tuple[str, str, str]]()  # noqa: S311  places, no secrets
    for file in files:
        image = Image.open(file).convert("RGB")
        image.thumbnail((LONGEST, LONGEST))
        for kind in KINDS:
            data, start = encoded(image, kind)
            try:
                whole = decode(data, min_side=448).pixels
            except PhotoRefused:
                counts[kind, "whole", "refused"] += 1
                continue
            for hole, broken in with_holes(data, start, rng):
                counts[kind, hole, outcome(broken, whole)] += 1
    print(f"{len(files)} photos")
    for kind in KINDS:
        print(f"{kind:18} whole files refused {counts[kind, 'whole', 'refused']}")
        for hole in ("zeros", "tail"):
            told = [f"{name} {counts[kind, hole, name]}" for name in ("refused", "does not show", "missed")]
            print(f"{kind:18} {hole}: {', '.join(told)}")


if __name__ == "__main__":
    main()
