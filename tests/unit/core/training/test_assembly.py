import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors import ModelUnusable
from core.model.artefact import Artefact, open_artefact
from core.model.card import InputSpec
from core.training.assembly import assemble
from core.training.dataset import Sample, Split
from core.training.evaluation import score_samples
from core.training.recipe import Recipe

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Noise in two tints, eight photos of either label in every split."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    made = []
    for number in range(48):
        pixels = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
        pixels[..., 0 if number % 2 else 2] += 150
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        split = SPLITS[number // 2 % 3]
        made.append(Sample(path, path.name, bool(number % 2), split, path.name, source="noise", licence="CC0"))
    return made


@pytest.fixture(scope="module")
def assembled(network: Any, samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    folder = tmp_path_factory.mktemp("assembled") / "model"
    return assemble(network, samples, Recipe(input_size=64), InputSpec(size=64, tiles=2), folder, "noise", NOW)


def test_the_artefact_is_whole_and_its_drafts_are_gone(assembled: Artefact) -> None:
    assert open_artefact(assembled.folder).card == assembled.card
    assert [path.name for path in assembled.folder.parent.iterdir()] == [assembled.folder.name]


def test_the_card_says_what_made_it(assembled: Artefact) -> None:
    card = assembled.card
    assert (card.name, card.created_at, card.recipe["seed"]) == ("noise", NOW, 0)
    (source,) = card.training
    assert (source.source, source.licence, source.photos, source.damaged) == ("noise", "CC0", 16, 8)
    assert {"val", "test", "val: noise", "test: noise"} == set(card.metrics)
    assert card.thresholds.points


def test_its_figures_are_those_of_serving(assembled: Artefact, samples: list[Sample]) -> None:
    test = [sample for sample in samples if sample.split == "test"]
    said = [score.probability > 0.5 for score in score_samples(assembled, test)]
    accuracy = np.mean([answer == sample.damaged for answer, sample in zip(said, test, strict=True)])
    assert json.loads(assembled.card.to_json())["metrics"]["test"]["measures"]["accuracy"]["value"] == accuracy


def test_validation_is_calibrated(assembled: Artefact) -> None:
    assert assembled.card.metrics["val"].measures["loss"].value <= np.log(2) + 0.01  # a coin's, or better


def test_nothing_is_overwritten(network: Any, samples: list[Sample], assembled: Artefact) -> None:
    before = (assembled.folder / "card.json").read_bytes()
    with pytest.raises(ModelUnusable, match="never overwritten"):
        assemble(network, samples, Recipe(), InputSpec(size=64), assembled.folder, "noise", NOW)
    assert (assembled.folder / "card.json").read_bytes() == before
