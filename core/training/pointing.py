"""Does the heat map point at the damage? The share of photos whose highest cell lies in a damaged region."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetInvalid
from core.model.artefact import Artefact, save_artefact
from core.model.card import Card, Description
from core.model.network import build_network
from core.training.dataset import Sample
from core.training.evaluation import score_samples

if TYPE_CHECKING:
    import keras

LEAST_AREA = 0.01


@dataclass(frozen=True, slots=True)
class OutlinedPhoto:
    """A damaged photo with its damage as polygons of (x, y), as shares of the photo's width and height."""

    sample: Sample
    polygons: tuple[NDArray[np.float64], ...]


def read_outlined(path: Path) -> list[OutlinedPhoto]:
    """The photos of a masks.json whose damage covers at least 1 % of the photo. Raises `DatasetInvalid`."""
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["items"]
        return [_outlined(path.parent, item) for item in items if item["union_area_frac"] >= LEAST_AREA]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetInvalid(f"{path} cannot be read as damage outlines ({error!r})") from error


def points_at_damage(heatmap: NDArray[np.floating], outlined: OutlinedPhoto) -> bool:
    """Whether the middle of the map's highest cell lies in one of the polygons. `heatmap` spans the whole photo."""
    rows, columns = heatmap.shape
    row, column = np.unravel_index(int(np.argmax(heatmap)), heatmap.shape)
    return inside(outlined, (float(column) + 0.5) / columns, (float(row) + 0.5) / rows)


def pointing_shares(artefact: Artefact, outlined: Sequence[OutlinedPhoto]) -> dict[str, float]:
    """The share of photos pointed at rightly: by the model, by guessing the photo's centre, by random weights.

    The random model is the same network, none of its weights trained (seed 0).
    """
    samples = [item.sample for item in outlined]
    with tempfile.TemporaryDirectory() as scratch:
        chance = save_artefact(_random_network(artefact.card), _described(artefact.card), Path(scratch) / "random")
        maps = {"model": score_samples(artefact, samples), "random weights": score_samples(chance, samples)}
    shares = {
        name: float(
            np.mean([points_at_damage(score.heatmap, item) for score, item in zip(scores, outlined, strict=True)])
        )
        for name, scores in maps.items()
    }
    return {**shares, "centre guess": float(np.mean([inside(item, 0.5, 0.5) for item in outlined]))}


def inside(outlined: OutlinedPhoto, x: float, y: float) -> bool:
    """Whether a point (shares of width and height) lies in any polygon."""
    from matplotlib.path import Path as Outline

    return any(Outline(polygon).contains_point((x, y)) for polygon in outlined.polygons)


def _outlined(folder: Path, item: dict[str, object]) -> OutlinedPhoto:
    scale = np.array([item["width"], item["height"]], dtype=np.float64)
    polygons = tuple(np.asarray(polygon, dtype=np.float64) / scale for polygon in item["polygons"])  # type: ignore[attr-defined]
    name = str(item["file"])
    sample = Sample(folder / name, name, damaged=True, split="test", group=name, source=str(item["source_repo"]))
    return OutlinedPhoto(sample, polygons)


def _random_network(card: Card) -> "keras.Sequential":
    import keras

    keras.utils.set_random_seed(0)
    return build_network(card.input.size)


def _described(card: Card) -> Description:
    described = {name: getattr(card, name) for name in Description.model_fields}
    return Description(**described | {"outlines": None})  # only heat maps are compared
