import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetInvalid
from core.model.outline_branch import KINDS
from core.training.outlines import CHANNELS, UNCERTAIN, Region, cover, draw, read_outlined_samples, read_regions

LEFT_HALF = np.array([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)])


def write(path: Path, items: list[dict[str, object]]) -> Path:
    path.write_text(json.dumps({"items": items}))
    return path


def test_polygons_are_read_as_shares_with_their_kinds(tmp_path: Path) -> None:
    item = {"file": "a.jpg", "width": 200, "height": 100, "polygons": [[[100, 50], [200, 50], [200, 100]]]}
    (region,) = read_regions(write(tmp_path / "m.json", [item | {"classes": ["dent"]}]))["a.jpg"]
    np.testing.assert_allclose(region.polygon, [(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)])
    assert (region.kind, region.box) == ("dent", False)


def test_boxes_bound_scratches_and_an_empty_list_is_a_photo_without_damage(tmp_path: Path) -> None:
    items = [
        {"file": "a.jpg", "width": 100, "height": 100, "boxes_xywh": [[10, 20, 30, 40]]},
        {"file": "b.jpg", "width": 100, "height": 100, "boxes_xywh": []},
    ]
    read = read_regions(write(tmp_path / "b.json", items))
    (region,) = read["a.jpg"]
    np.testing.assert_allclose(region.polygon, [(0.1, 0.2), (0.4, 0.2), (0.4, 0.6), (0.1, 0.6)])
    assert region.box
    assert read["b.jpg"] == ()


@pytest.mark.parametrize("text", ["", "{}", '{"items": [{"file": "a"}]}', '{"items": 3}'])
def test_what_is_no_file_of_outlines_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(DatasetInvalid, match="cannot be read as damage outlines"):
        read_regions(tmp_path / "m.json")


def test_outlined_photos_are_damaged_samples_and_bare_ones_are_left_to_manifests(tmp_path: Path) -> None:
    square = [[[0, 0], [9, 0], [9, 9]]]
    items: list[dict[str, object]] = [
        {"file": "a.jpg", "polygons": square, "split": "val", "group": "g", "source_repo": "s", "licence": "MIT"},
        {"file": "b.jpg", "polygons": []},
    ]
    (sample,) = read_outlined_samples(write(tmp_path / "m.json", items))
    assert (sample.name, sample.damaged, sample.split, sample.group) == ("a.jpg", True, "val", "g")
    assert (sample.source, sample.licence, sample.path) == ("s", "MIT", tmp_path / "a.jpg")


def test_cells_hold_the_share_that_is_covered() -> None:
    shares = cover(draw((Region(LEFT_HALF, "glass"),)), (0.0, 0.0, 1.0, 1.0), 4)
    assert shares.shape == (4, 4, CHANNELS)
    np.testing.assert_allclose(shares[0, :, 0], [255, 255, 0, 0], atol=3)
    np.testing.assert_array_equal(shares[..., 1 + KINDS.index("glass")], shares[..., 0])
    assert not shares[..., UNCERTAIN].any()


def test_a_window_shows_its_part() -> None:
    shares = cover(draw((Region(LEFT_HALF),)), (0.25, 0.0, 0.75, 0.5), 2)
    np.testing.assert_allclose(shares[..., 0], [[255, 0], [255, 0]], atol=3)
    assert not shares[..., 1:].any()


def test_a_box_is_marked_as_uncertain() -> None:
    shares = cover(draw((Region(LEFT_HALF, "scratch", box=True),)), (0.0, 0.0, 1.0, 1.0), 2)
    np.testing.assert_array_equal(shares[..., UNCERTAIN], shares[..., 0])
