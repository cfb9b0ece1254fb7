"""`walkaround model train-outlines | outlines`: a trained model, a manifest and outlines; a model that says where."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ModelUnusable
from core.model.artefact import Artefact, open_artefact
from tests.unit.cli.model.test_registry import run
from tests.unit.core.conftest import artefact, network  # noqa: F401  fixtures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A manifest of intact photos and, beside it, outlines of damaged ones."""
    random = np.random.default_rng(4)
    rows, items = ["file,label,split"], []
    for number in range(24):
        pixels = random.integers(60, 120, (80, 80, 3), dtype=np.uint8)
        split = ("train", "train", "val", "test")[number // 2 % 4]
        if number % 2:
            pixels[20:50, 20:50] = (230, 20, 20)
            square = [[[20, 20], [50, 20], [50, 50], [20, 50]]]
            item = {
                "file": f"{number}.png",
                "width": 80,
                "height": 80,
                "polygons": square,
                "split": split,
                "union_area_frac": 0.14,
                "source_repo": "here",
            }
            items.append(item | {"classes": ["dent"]})
            rows.append(f"{number}.png,damaged,{split}")
        else:
            rows.append(f"{number}.png,intact,{split}")
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    (tmp_path / "masks.json").write_text(json.dumps({"items": items}))
    return tmp_path


def test_a_trained_model_gets_its_branch_and_is_judged(artefact: Artefact, photos: Path) -> None:  # noqa: F811
    arguments = ("--manifest", photos / "manifest.csv", "--outlines", photos / "masks.json", "--model", artefact.folder)
    said = run("train-outlines", *arguments, "--out", photos / "made", "--views", "32", "--steps", "3")
    assert "written to" in said
    card = open_artefact(photos / "made").card
    assert card.outlines is not None
    assert card.outlines.recipe["steps"] == 3
    assert sum(source.photos for source in card.training) == 12
    assert {name.split(":")[0] for name in card.metrics} == {"val", "test"}
    judging = ("--manifest", photos / "manifest.csv", "--split", "val", "--outlines", photos / "masks.json", "--json")
    judged = run("evaluate", photos / "made", *judging)
    assert judged["outlines"]["all"]["photos"] == 3
    assert "logit = " in run("info", photos / "made")
    run("outlines", photos, "--model", photos / "made", "--out", photos / "coco.json")
    assert len(json.loads((photos / "coco.json").read_text())["images"]) == 24
    with pytest.raises(ModelUnusable, match="exists already"):
        run("train-outlines", *arguments, "--out", photos / "made")
