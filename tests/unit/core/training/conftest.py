"""Small labelled photos to train on and to check."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.model.network import build_network
from core.training.dataset import Sample
from core.training.recipe import Recipe

RECIPE = Recipe(seed=3, input_size=64, tiles=2, augmented=1, epochs=2, drawn=2, batch=24)


def photo(path: Path, seed: int, side: int = 96, quality: int = 90) -> None:
    """A random picture: unlike any other seed's, alike at every size and quality."""
    coarse = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=quality)


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    rows = []
    for number in range(30):
        photo(tmp_path / f"{number}.jpg", number)
        split = ("train", "val", "test")[number % 3]
        label = "damaged" if number % 2 else "intact"
        rows.append({"file": f"{number}.jpg", "label": label, "split": split, "group": f"g{number}", "source": "here"})
    return rows


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Red squares are damaged, blue ones intact, so that a few steps suffice."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    made = []
    for number in range(36):
        damaged = bool(number % 2)
        pixels = rng.integers(0, 60, (70, 70, 3), dtype=np.uint8)
        pixels[..., 0 if damaged else 2] += 150
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        made.append(Sample(path, path.name, damaged, ("train", "train", "val")[number // 2 % 3], path.name))
    return made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("base") / "base.weights.h5"
    build_network(64).layers[0].save_weights(path)
    return path
