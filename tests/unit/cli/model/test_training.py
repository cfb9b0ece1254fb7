"""`walkaround model data | train | evaluate`: data that cannot be used are refused before anything is computed."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import model_app
from core.errors import DatasetInvalid, ModelUnusable
from tests.unit.cli.model.test_registry import run
from tests.unit.core.training.conftest import rows, write_manifest  # noqa: F401  a fixture


@pytest.fixture
def manifest(tmp_path: Path, rows: list[dict[str, str]]) -> Path:  # noqa: F811
    return write_manifest(tmp_path, rows)


def test_sound_data_pass(manifest: Path) -> None:
    found = run("data", "--manifest", manifest, "--json")
    assert (found["photos"], found["problems"]) == (30, [])
    assert found["giveaways"]["size"] == {"accuracy": 0.5, "majority": 0.5}


def test_a_missing_photo_is_named_and_fails_the_check(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "3.jpg").unlink()
    result = CliRunner().invoke(model_app, ["data", "--manifest", str(manifest)])
    assert result.exit_code == 1
    assert "3.jpg" in result.stdout
    assert "1 problem(s)" in result.stdout


def test_training_refuses_unsound_data_and_a_folder_that_is_there(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "3.jpg").unlink()
    with pytest.raises(DatasetInvalid, match=r"3\.jpg"):
        run("train", "--manifest", manifest, "--out", tmp_path / "model")
    (tmp_path / "model").mkdir()
    with pytest.raises(ModelUnusable, match="exists already and artefacts are never overwritten"):
        run("train", "--manifest", manifest, "--out", tmp_path / "model")


def test_a_split_without_photos_cannot_be_evaluated(manifest: Path) -> None:
    sentence = re.escape("has no photos of the split 'tset'; choose train, val or test")
    with pytest.raises(DatasetInvalid, match=sentence):
        run("evaluate", "--manifest", manifest, "--split", "tset")
