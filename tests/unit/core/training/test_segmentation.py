from pathlib import Path

import numpy as np
import pytest

from core.training.dataset import Sample
from core.training.outlines import Region
from core.training.segmentation import agreements, covered_in_vain

CORNER = np.array([(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)])


def sample(name: str, source: str) -> Sample:
    return Sample(Path(name), name, True, "val", name, source)


@pytest.fixture
def maps() -> np.ndarray:
    """The first is right, the second says the lower right half where the upper left corner is meant."""
    maps = np.full((2, 8, 8), -1.0)
    maps[0, :4, :4] = 2.0
    maps[1, :, 4:] = 1.0
    return maps


def test_maps_are_compared_with_outlines_by_group(maps: np.ndarray) -> None:
    outlines = {"a": (Region(CORNER, "dent"),), "b": (Region(CORNER, "scratch"),)}
    found = agreements([sample("a", "here"), sample("b", "there")], maps, outlines)
    assert (found["here"].per_photo, found["here"].pooled, found["here"].pointing) == (1.0, 1.0, 1.0)
    assert (found["scratch"].per_photo, found["scratch"].pointing) == (0.0, 0.0)
    assert found["all"].per_photo == pytest.approx(0.5)
    assert found["all"].pooled == pytest.approx(16 / (16 + 16 + 32))
    assert found["over 10 %"].photos == 2
    assert "under 0.5 %" not in found
    assert "glass" not in found


def test_what_is_covered_in_vain_is_a_share_of_cells(maps: np.ndarray) -> None:
    assert covered_in_vain(maps) == pytest.approx((16 + 32) / 128)
