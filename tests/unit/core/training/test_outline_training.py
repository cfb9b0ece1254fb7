"""The branch learns where red squares are, goes on after a kill, and is merged with the reductions it learnt on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors import DatasetInvalid
from core.model.artefact import Artefact, save_artefact, verified_bytes
from core.model.card import Description
from core.model.engine import load_engine
from core.model.folding import FoldedNetwork, read_network
from core.model.network import build_network
from core.model.outline_branch import STAGES
from core.training.dataset import Sample
from core.training.outline_assembly import Judges, assemble_outlined
from core.training.outline_recipe import OutlineRecipe
from core.training.outline_training import merge, train_branch
from core.training.outlines import Region, Regions
from core.training.stages import KEPT, Reduction
from tests.unit.core.conftest import DESCRIPTION, SIZE

RECIPE = OutlineRecipe(seed=1, views=90, painted=0.2, steps=60, batch=8, learning_rate=3e-3)


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Grey noise; every second photo has a red square somewhere."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    made = []
    for number in range(36):
        pixels = rng.integers(60, 120, (96, 96, 3), dtype=np.uint8)
        damaged = bool(number % 2)
        if damaged:
            left, top = _corner(number)
            pixels[top : top + 32, left : left + 32] = (230, 20, 20)
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        split = ("train", "train", "val", "test")[number // 2 % 4]
        made.append(Sample(path, path.name, damaged, split, path.name, source="here", view="whole"))  # type: ignore[arg-type]
    return made


@pytest.fixture(scope="module")
def outlines(samples: list[Sample]) -> dict[str, Regions]:
    found: dict[str, Regions] = {}
    for number, sample in enumerate(samples):
        if sample.damaged:
            left, top = (edge / 96 for edge in _corner(number))
            third = 32 / 96
            corners = [(left, top), (left + third, top), (left + third, top + third), (left, top + third)]
            found[sample.name] = (Region(np.array(corners), "dent"),)
    return found


def _corner(number: int) -> tuple[int, int]:
    return 8 + 13 * number % 48, 8 + 29 * number % 48


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    import keras

    keras.utils.set_random_seed(0)
    return save_artefact(build_network(SIZE), DESCRIPTION, tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def network(base: Artefact) -> FoldedNetwork:
    return read_network(verified_bytes(base), "here")


@pytest.fixture(scope="module")
def branch(
    network: FoldedNetwork,
    samples: list[Sample],
    outlines: dict[str, Regions],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    training = [sample for sample in samples if sample.split == "train"]
    return train_branch(network, training, outlines, SIZE, RECIPE, tmp_path_factory.mktemp("run"))


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    network: FoldedNetwork, samples: list[Sample], outlines: dict[str, Regions], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, views=32, steps=4)
    training = [sample for sample in samples if sample.split == "train"]

    def run(workspace: Path, killed_at: int = 0) -> Any:
        def report(phase: str, done: int, _: int) -> None:
            if phase == "steps" and done == killed_at:
                raise Killed

        return train_branch(network, training, outlines, SIZE, recipe, workspace, report)

    whole = run(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.training.outline_training.SAVED_EVERY", 1)
        with pytest.raises(Killed):
            run(tmp_path / "killed", killed_at=2)
        resumed = run(tmp_path / "killed")
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    with pytest.raises(DatasetInvalid, match="another recipe"):
        train_branch(network, training, outlines, SIZE, replace(recipe, seed=2), tmp_path / "killed")


def test_a_merged_branch_answers_on_the_stages_as_it_did_on_their_components() -> None:
    from core.model.outline_branch import build_branch

    rng = np.random.default_rng(0)
    depths = tuple(STAGES.values())
    conv3, conv4, conv5 = (
        rng.random((2, 8 >> step, 8 >> step, depth), dtype=np.float32) for step, depth in enumerate(depths)
    )
    reductions = tuple(
        Reduction.fit(rng.random((1500, depth), dtype=np.float32), kept)
        for depth, kept in zip(depths, KEPT, strict=False)
    )
    reduced = build_branch(8, (*KEPT, depths[2]))
    components = [reductions[0].apply(conv3), reductions[1].apply(conv4)]
    expected = reduced([*(part.astype(np.float32) for part in components), conv5]).numpy()
    merged = merge(reduced, (reductions[0], reductions[1]), 8)([conv3, conv4, conv5]).numpy()
    np.testing.assert_allclose(merged, expected, atol=2e-2 * np.abs(expected).max())


def test_photos_of_one_label_are_refused(
    network: FoldedNetwork, samples: list[Sample], outlines: dict[str, Regions], tmp_path: Path
) -> None:
    intact = [sample for sample in samples if not sample.damaged]
    with pytest.raises(DatasetInvalid, match="damaged and intact"):
        train_branch(network, intact, outlines, SIZE, replace(RECIPE, painted=0.0), tmp_path)


def test_it_is_assembled_judged_and_served(
    base: Artefact, branch: Any, samples: list[Sample], outlines: dict[str, Regions], tmp_path: Path
) -> None:
    parts = {split: [sample for sample in samples if sample.split == split] for split in ("train", "val", "test")}
    judges = Judges({"val": parts["val"]}, {"test": parts["test"]}, outlines)
    described = Description(**{name: getattr(base.card, name) for name in Description.model_fields})
    made = assemble_outlined(base, branch, parts["train"], judges, RECIPE, tmp_path / "outlined", described)
    card = made.card
    assert card.outlines is not None
    assert card.metrics["test"].measures["auroc"].value >= 0.9
    assert card.outlines.metrics["test, all: pointing"] >= 0.75
    assert card.outlines.evidence.largest + card.outlines.evidence.area > 0
    assert card.temperature == 1.0
    cells = load_engine(made).run(np.zeros((2, SIZE, SIZE, 3), np.uint8)).cells
    assert cells.shape[1:3] == (8, 8)
