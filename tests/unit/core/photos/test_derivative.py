import io

import numpy as np
import pytest
from PIL import Image

from core.domain import Pixels
from core.photos.derivative import overlay, restore_proportions, thumbnail
from tests.unit.core.photos.pictures import difference, scene


def opened(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert not image.getexif()
        return np.asarray(image)


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(960, 720, (360, 480)), (720, 960, (480, 360)), (64, 48, (48, 64))]
)
def test_a_thumbnail_fits_and_never_grows(width: int, height: int, expected: tuple[int, int]) -> None:
    assert opened(thumbnail(scene(width, height))).shape[:2] == expected


def test_an_overlay_marks_where_the_evidence_is_and_nothing_else() -> None:
    pixels = np.full((300, 400, 3), 128, np.uint8)
    heatmap = np.full((7, 7), -1, np.float32)
    heatmap[1, 5] = 4
    marked = opened(overlay(pixels, heatmap)).astype(int)
    row, column = np.unravel_index(np.abs(marked - 128).sum(axis=2).argmax(), marked.shape[:2])
    assert (row * 7 // 300, column * 7 // 400) == (1, 5)
    assert np.abs(marked[150:, :200] - 128).max() <= 3  # JPEG's own noise


@pytest.mark.parametrize(
    "heatmap",
    [np.zeros((7, 7)), np.full((7, 7), -2.0), np.full((3, 3), np.nan), np.zeros((0, 0)), np.full((1, 1), -np.inf)],
)
def test_no_evidence_is_the_plain_photo(heatmap: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    pixels = scene(200, 150)
    assert overlay(pixels, heatmap.astype(np.float32)) == thumbnail(pixels)


def test_a_common_scale_makes_photos_comparable() -> None:
    pixels, heatmap = np.full((100, 100, 3), 128, np.uint8), np.full((2, 2), 1, np.float32)
    faint = difference(opened(overlay(pixels, heatmap, full_scale=10)), pixels)
    strong = difference(opened(overlay(pixels, heatmap, full_scale=1)), pixels)
    assert 0 < faint < strong / 4


@pytest.mark.parametrize(
    ("width", "height", "shape"), [(4000, 3000, (48, 64, 3)), (300, 900, (64, 21, 3)), (5, 5, (64, 64, 3))]
)
def test_a_square_view_gets_the_proportions_of_its_photo(width: int, height: int, shape: tuple[int, int, int]) -> None:
    assert restore_proportions(scene(64, 64), width, height).shape == shape
