"""How often the quality gate refuses good photos, and generated bad ones: the figures of docs/verdicts.md.

python -m studies.quality --data ../shared/data --every 60
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image, ImageFilter

from core.domain import Pixels
from core.photos.decode import decode
from core.photos.quality import measure_quality
from core.photos.usability import judge

DECODED_SIDE = 448


def spoilt(pixels: Pixels) -> Iterator[tuple[str, Pixels]]:
    """The photo made worse in named ways; lengths are shares of its longer side."""
    image = Image.fromarray(pixels)
    side = max(image.size)
    for share in (0.005, 0.01, 0.02, 0.04):
        yield f"out of focus, radius {share:.1%}", np.asarray(image.filter(ImageFilter.GaussianBlur(share * side)))
    for share in (0.02, 0.05, 0.1):
        yield f"shaken over {share:.0%}", shaken(pixels, max(2, round(share * side)))
    for factor in (0.2, 0.05, 0.02):
        yield f"light x {factor}", (pixels * factor).astype(np.uint8)
    for factor in (3.0, 8.0, 20.0):
        yield f"light x {factor:g}", np.clip(pixels.astype(np.float32) * factor + 20, 0, 255).astype(np.uint8)
    yield "a lens cap", np.full_like(pixels, 4)
    yield "80 pixels", np.asarray(image.resize((80, 60)))


def shaken(pixels: Pixels, length: int) -> Pixels:
    """The mean of the photo moved to the right pixel by pixel, as a hand that moves while the shutter is open."""
    total = np.zeros(pixels.shape, np.float64)
    for offset in range(length):
        total += np.roll(pixels, offset, axis=1)
    return (total / length).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="Only every so many photos.")
    given = parser.parse_args()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seconds = []
    for file in sorted(given.data.glob("**/*.jpg"))[:: given.every]:
        photo = decode(file.read_bytes(), min_side=DECODED_SIDE)
        started = perf_counter()
        quality = measure_quality(photo.pixels)
        seconds.append(perf_counter() - started)
        found["as it is"][str(judge(quality, photo.width, photo.height))] += 1
        for how, pixels in spoilt(photo.pixels):
            height, width, _ = pixels.shape
            found[how][str(judge(measure_quality(pixels), width, height))] += 1
    print(f"median {1000 * np.median(seconds):.1f} ms a photo")
    for how, counts in found.items():
        total = counts.total()
        refused = total - counts["None"]
        print(f"{how:28} {refused:5} of {total} refused ({refused / total:.1%})", dict(counts))


if __name__ == "__main__":
    main()
