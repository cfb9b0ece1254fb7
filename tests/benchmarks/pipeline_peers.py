"""What the pipeline is measured beside, each a process: `naive` and `floor`. Photos' paths come on standard input.

Arguments: which, the model's folder, the precision. Prints JSON as its last line.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain import Pixels, ViewPlan
from core.model.artefact import Artefact, load_network, open_artefact
from core.model.engine import load_engine
from core.model.inference import score_photos
from core.model.network import preprocess
from core.photos.decode import _tile_boxes, load_photo

_BATCH = 32
_SCORED = 60  # photos that the model's time is taken over


def full_views(path: str, plan: ViewPlan) -> Pixels:
    """The same views as ours, from a full decode, antialiased, as one writes it plainly with Pillow."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    boxes = [(0.0, 0.0, float(image.width), float(image.height)), *_tile_boxes(image.width, image.height, plan)]
    size = (plan.size, plan.size)
    return np.stack([np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box)) for box in boxes])


def naive(artefact: Artefact, paths: Sequence[str]) -> dict[str, float]:
    """Decode, `predict` and insert one photo after the other; the first two do not count."""
    network = load_network(artefact)
    plan = artefact.card.input.plan
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute("CREATE TABLE verdict (path TEXT PRIMARY KEY, probability REAL)")
        start = 0.0
        for number, path in enumerate(paths):
            if number == min(2, len(paths) - 1):
                start = time.perf_counter()
            found = network.predict(preprocess(full_views(path, plan)), verbose=0)
            connection.execute("INSERT INTO verdict VALUES (?, ?)", (path, float(found.mean())))
    return {"rate": (len(paths) - min(2, len(paths) - 1)) / (time.perf_counter() - start)}


def floor(artefact: Artefact, paths: Sequence[str], precision: Any) -> dict[str, float]:
    """Seconds a photo to decode on all cores, and to score on all cores, and the rate of both one after the other."""
    plan = artefact.card.input.plan
    data = [Path(path).read_bytes() for path in paths]
    batch_size = max(1, int(_BATCH / plan.cost)) * plan.count
    engine = load_engine(artefact, precision=precision, batch_size=batch_size)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda photo: load_photo(photo, plan), data[:2]))
        start = time.perf_counter()
        photos = [loaded.views for loaded in pool.map(lambda photo: load_photo(photo, plan), data)]
        decode = (time.perf_counter() - start) / len(data)
    each = max(1, int(_BATCH / plan.cost))
    batch, rounds = list(islice(cycle(photos), each)), max(3, _SCORED // each)
    score_photos(engine, batch, artefact.card)
    start = time.perf_counter()
    for _ in range(rounds):
        score_photos(engine, batch, artefact.card)
    model = (time.perf_counter() - start) / (rounds * each)
    return {"decode": decode, "model": model, "rate": 1 / (decode + model)}


def main() -> None:
    """Run one of the two."""
    name, folder, precision = sys.argv[1:]
    artefact, paths = open_artefact(Path(folder)), sys.stdin.read().split("\n")
    answer = naive(artefact, paths) if name == "naive" else floor(artefact, paths, precision)
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
