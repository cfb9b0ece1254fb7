"""`walkaround model outlines` where there are none; test_train_outlines.py has a model that gives them."""

from pathlib import Path

import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact
from tests.unit.cli.model.test_registry import run
from tests.unit.core.conftest import artefact, network  # noqa: F401  fixtures


def test_without_a_branch_there_are_no_outlines(artefact: Artefact, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(ModelUnusable, match="train-outlines"):
        run("outlines", tmp_path, "--model", artefact.folder, "--out", tmp_path / "coco.json")
