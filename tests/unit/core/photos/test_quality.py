import numpy as np
import pytest
from PIL import Image

from core.photos.quality import measure_quality
from tests.unit.core.photos.pictures import scene


def test_measures_mean_what_they_say() -> None:
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[:, 100:] = 255
    quality = measure_quality(pixels)
    assert quality.brightness == pytest.approx(0.75, abs=0.01)
    assert quality.dark_share == pytest.approx(0.25, abs=0.01)
    assert quality.bright_share == pytest.approx(0.75, abs=0.01)
    assert quality.contrast == pytest.approx(0.433, abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (2, 2, 3)])
def test_any_size_can_be_measured(shape: tuple[int, int, int]) -> None:
    assert measure_quality(np.full(shape, 9, np.uint8)).contrast == 0


def test_resolution_hardly_matters() -> None:
    pixels = scene(1600, 1200)
    small = np.asarray(Image.fromarray(pixels).resize((800, 600), Image.Resampling.BOX))
    assert measure_quality(small).sharpness == pytest.approx(measure_quality(pixels).sharpness, rel=0.05)
