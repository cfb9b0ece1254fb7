import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetInvalid
from core.training.pointing import inside, points_at_damage, read_outlined


def write_outlines(folder: Path) -> Path:
    square = [[10, 10], [50, 10], [50, 50], [10, 50]]
    items = [
        {
            "file": "a.jpg",
            "width": 100,
            "height": 200,
            "polygons": [square],
            "union_area_frac": 0.08,
            "source_repo": "x",
        },
        {"file": "b.jpg", "width": 100, "height": 200, "polygons": [], "union_area_frac": 0.009, "source_repo": "x"},
    ]
    path = folder / "masks.json"
    path.write_text(json.dumps({"items": items}))
    return path


def test_only_damage_of_one_percent_is_pointed_at(tmp_path: Path) -> None:
    (outlined,) = read_outlined(write_outlines(tmp_path))
    assert outlined.sample.path == tmp_path / "a.jpg"
    assert inside(outlined, 0.3, 0.15)
    assert not inside(outlined, 0.6, 0.15)
    assert not inside(outlined, 0.3, 0.3)


def test_a_map_points_with_its_highest_cell(tmp_path: Path) -> None:
    (outlined,) = read_outlined(write_outlines(tmp_path))
    heatmap = np.zeros((7, 7), np.float32)
    heatmap[1, 2] = 1.0  # x 0.36, y 0.21: inside
    assert points_at_damage(heatmap, outlined)
    heatmap[5, 2] = 2.0
    assert not points_at_damage(heatmap, outlined)


def test_outlines_that_are_none_say_so(tmp_path: Path) -> None:
    (tmp_path / "masks.json").write_text("[]")
    with pytest.raises(DatasetInvalid, match="outlines"):
        read_outlined(tmp_path / "masks.json")
