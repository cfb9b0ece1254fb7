"""`walkaround model quantise`, as far as it goes without the library that quantises, and with it where it is there."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ModelUnusable
from core.model.artefact import Artefact, open_artefact
from core.model.quantised import QUANTISED_FILES, read_quantised_card
from tests.unit.cli.model.test_registry import run
from tests.unit.core.conftest import artefact, network  # noqa: F401  fixtures

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.fixture
def model(artefact: Artefact, tmp_path: Path) -> Path:  # noqa: F811
    return shutil.copytree(artefact.folder, tmp_path / "model")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty noisy photos, one label half, one the other."""
    random = np.random.default_rng(4)
    for index in range(40):
        path = tmp_path / "photos" / ("damaged" if index % 2 else "intact") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_without_nncf_it_says_what_to_install(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ModelUnusable, match=r"pip install 'walkaround\[quantise\]'"):
        run("quantise", model, "--manifest", photos)
    assert {path.name for path in model.iterdir()} == {"model.keras", "card.json"}


def test_the_graph_lies_beside_the_model(model: Path, photos: Path) -> None:
    pytest.importorskip("nncf", reason="the extra `quantise` is not installed")
    assert "12 views of 12 photos" in run("quantise", model, "--manifest", photos, "--photos", "12")
    assert {*QUANTISED_FILES, "model.keras", "card.json"} == {path.name for path in model.iterdir()}
    assert read_quantised_card(open_artefact(model)).views == 12


def test_help_shows_an_example() -> None:
    assert "walkaround model quantise" in run("quantise", "--help")
