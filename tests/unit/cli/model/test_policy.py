"""`walkaround model fit` and `model policy`, on a small network with random weights and photos of noise."""

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import DatasetInvalid
from core.model.artefact import Artefact, open_artefact
from core.training.fitting import LEAST_INTACT
from tests.unit.cli.model.test_registry import run
from tests.unit.core.conftest import artefact, network  # noqa: F401  fixtures

INTACT, DAMAGED = LEAST_INTACT + 5, 7


@pytest.fixture
def model(artefact: Artefact, tmp_path: Path) -> Path:  # noqa: F811
    return shutil.copytree(artefact.folder, tmp_path / "model")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Close-ups of the split val, each of a group of its own, and a photo of the split train that is not there."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(6)
    rows = [("train.png", "intact", "train", "part")]
    for number in range(INTACT + DAMAGED):
        file = f"{number}.png"
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / file)
        rows.append((file, "intact" if number < INTACT else "damaged", "val", "part"))
    return written(folder / "manifest.csv", rows)


def written(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label", "split", "view"), *rows])
    return path


def test_the_policy_is_written_into_the_card_and_told(model: Path, manifest: Path) -> None:
    told = run("fit", model, "--manifest", manifest, "--damaged-rate", "0.1")
    assert f"fitted on {INTACT} intact photos" in told
    by_photos = {int(photos): float(limit) for photos, limit in re.findall(r"(\d+) photos: ([\d.]+),", told)}
    assert list(by_photos) == [1, 4, 9, 20, 40]
    assert sorted(by_photos.values()) == list(by_photos.values()), "the more photos, the more suspicious one must be"
    card = open_artefact(model).card  # which verifies the files against it
    assert card.fitted is not None
    assert (card.fitted.photos, card.fitted.intact, card.fitted.view) == (INTACT + DAMAGED, INTACT, "part")
    assert card.policy.false_alarms is not None
    assert card.policy.false_alarms.damaged_rate == 0.1
    assert by_photos[4] == pytest.approx(card.policy.damaged_at_rank(1, 4), abs=1e-4)
    assert json.loads(run("policy", model)) == json.loads(card.policy.model_dump_json())


def test_photos_as_in_the_field_count_whatever_their_view_and_split(model: Path, manifest: Path) -> None:
    field = written(manifest.parent / "field.csv", [(f"{n}.png", "intact", "test", "unknown") for n in range(3)])
    told = run("fit", model, "--manifest", manifest, "--judge", field, "--json")
    assert (told["photos"], told["intact"]) == (INTACT + DAMAGED + 3, INTACT + 3)


def test_json_has_the_whole_policy(model: Path, manifest: Path) -> None:
    told = run("fit", model, "--manifest", manifest, "--audit-share", "0.2", "--json")
    assert (told["photos"], told["intact"], told["view"]) == (INTACT + DAMAGED, INTACT, "part")
    assert told["policy"]["audit"]["share"] == 0.2
    assert told["policy"] == json.loads(run("policy", model))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--split", "tset"], "has no photos of split 'tset'; name another with --split"),
        (["--split", "train"], r"train.png cannot be read .*; restore it or drop its row"),
        (["--view", "roof"], "only 0 intact photos of view 'roof'.*give more photos, or --view all"),
    ],
)
def test_what_it_cannot_learn_from_is_refused_with_a_sentence(
    model: Path, manifest: Path, arguments: list[str], sentence: str
) -> None:
    before = (model / "card.json").read_bytes()
    with pytest.raises(DatasetInvalid, match=sentence):
        run("fit", model, "--manifest", manifest, *arguments)
    assert (model / "card.json").read_bytes() == before


def test_a_manifest_without_its_columns_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("photo,what\na.png,intact\n")
    with pytest.raises(DatasetInvalid, match="lacks the columns file and label"):
        run("fit", model, "--manifest", tmp_path / "manifest.csv")
