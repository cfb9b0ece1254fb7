"""Run in the bench venv: the same job by Ray Data. `documented`: `read_images` and a Keras actor; `ours`: our decode
and engine in its tasks and its actor. Photos' paths come on standard input; prints when each photo was done as JSON.
"""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("RAY_worker_niceness", "0")  # its default of 15 would lose to any other work on the machine
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import ray  # type: ignore[import-not-found]  # of the bench venv

from core.domain import ViewPlan
from core.model.artefact import load_network, open_artefact
from core.model.engine import load_engine
from core.model.inference import score_photos
from core.model.network import preprocess
from core.photos.decode import _tile_boxes, load_photo

Batch = dict[str, Any]


class KerasActor:
    """The network as Keras runs it."""

    def __init__(self, folder: str) -> None:
        self._network = load_network(open_artefact(Path(folder)))

    def __call__(self, batch: Batch) -> Batch:
        """Views (n, views, size, size, 3) to one probability a photo."""
        views = batch["views"]
        found = self._network.predict_on_batch(preprocess(views.reshape(-1, *views.shape[2:])))
        return {"path": batch["path"], "probability": np.asarray(found).reshape(len(views), -1).mean(axis=1)}


class OurActor:
    """Our engine, with heat maps."""

    def __init__(self, folder: str, precision: Any) -> None:
        self._artefact = open_artefact(Path(folder))
        self._engine = load_engine(self._artefact, precision=precision, batch_size=32)

    def __call__(self, batch: Batch) -> Batch:
        """Views (n, views, size, size, 3) to one probability and heat map a photo."""
        scores = score_photos(self._engine, list(batch["views"]), self._artefact.card)
        return {
            "path": batch["path"],
            "probability": np.array([score.probability for score in scores]),
            "heatmap": np.stack([score.heatmap for score in scores]),
        }


def documented(paths: list[str], folder: str, plan: ViewPlan) -> Any:
    """Images as Ray Data reads them, their views cut by Pillow, a Keras actor."""
    from PIL import Image

    def views(row: Batch) -> Batch:
        image = Image.fromarray(row["image"])
        boxes = [(0.0, 0.0, float(image.width), float(image.height)), *_tile_boxes(image.width, image.height, plan)]
        cut = [image.resize((plan.size, plan.size), Image.Resampling.BICUBIC, box=box) for box in boxes]
        return {"path": row["path"], "views": np.stack([np.asarray(view) for view in cut])}

    images = ray.data.read_images(paths, mode="RGB", include_paths=True)
    return images.map(views).map_batches(
        KerasActor,
        fn_constructor_args=(folder,),
        concurrency=1,
        batch_size=max(1, int(32 / plan.cost)),
        num_cpus=0,  # asking for other means than the tasks before it, or Ray resizes in the one actor: slower
    )


def ours(paths: list[str], folder: str, plan: ViewPlan, precision: str) -> Any:
    """Bytes as Ray Data reads them, our decoding in its tasks, our engine in its actor."""

    def views(row: Batch) -> Batch:
        return {"path": row["path"], "views": load_photo(row["bytes"], plan).views}

    return (
        ray.data.read_binary_files(paths, include_paths=True)
        .map(views)
        .map_batches(
            OurActor,
            fn_constructor_args=(folder, precision),
            concurrency=1,
            batch_size=max(1, int(32 / plan.cost)),
            num_cpus=0,
        )
    )


def main() -> None:
    """Arguments: which, the model's folder, the precision."""
    name, folder, precision = sys.argv[1:]
    paths = sys.stdin.read().split("\n")
    plan = open_artefact(Path(folder)).card.input.plan
    ray.init(num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False, log_to_driver=False)
    data = documented(paths, folder, plan) if name == "documented" else ours(paths, folder, plan, precision)
    times: list[float] = []
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute("CREATE TABLE verdict (path TEXT PRIMARY KEY, probability REAL)")
        for batch in data.iter_batches(batch_size=10):
            rows = zip(batch["path"].tolist(), batch["probability"].tolist(), strict=True)
            connection.executemany("INSERT INTO verdict VALUES (?, ?)", rows)
            times += [time.time()] * len(batch["path"])
    ray.shutdown()
    sys.stdout.write(json.dumps({"times": times}) + "\n")


if __name__ == "__main__":
    main()
