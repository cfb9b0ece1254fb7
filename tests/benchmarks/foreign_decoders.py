"""Run in the bench venv: OpenCV and simplejpeg over a folder of photos; prints times and differences as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import cv2  # type: ignore[import-not-found]  # of the bench venv
import numpy as np
import simplejpeg

from tests.benchmarks.decoding import SIZE, difference, over
from tests.benchmarks.measured import interleaved


def _opencv(data: bytes) -> Any:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)
    return cv2.cvtColor(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def _simplejpeg(data: bytes) -> Any:
    picture = simplejpeg.decode_jpeg(data, min_height=750, min_width=1000, min_factor=1)
    return cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)


def main() -> None:
    """Arguments: the folder, the number of its photos, rounds."""
    cv2.setNumThreads(1)
    folder, count, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    photos = [(folder / f"{number}.jpg").read_bytes() for number in range(count)]
    full = [np.load(folder / f"{number}.npy") for number in range(count)]
    decoders = {
        "OpenCV reduced 1/4, area": _opencv,
        "simplejpeg 1/4, area": _simplejpeg,
    }
    times = interleaved({name: over(load, photos) for name, load in decoders.items()}, rounds)
    differences = {}
    for name, load in decoders.items():
        found = [difference(load(data), whole) for data, whole in zip(photos, full, strict=True)]
        differences[name] = [float(np.mean([mean for mean, _ in found])), max(most for _, most in found)]
    json.dump({"times": times, "differences": differences}, sys.stdout)


if __name__ == "__main__":
    main()
