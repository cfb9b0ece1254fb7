import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain import Pixels
from core.photos.decode import decode
from core.photos.quality import measure_quality
from core.photos.usability import Unusable, judge
from tests.unit.core.photos.pictures import scene

DATA = Path(os.environ.get("WALKAROUND_DATA", Path(__file__).parents[5] / "shared" / "data"))


def verdict(pixels: Pixels) -> Unusable | None:
    height, width, _ = pixels.shape
    return judge(measure_quality(pixels), width, height)


def test_unusable_photos_and_why() -> None:
    good = scene(400, 300)
    assert verdict(good) is None
    assert verdict(scene(95, 300)) is Unusable.TOO_SMALL
    assert verdict(np.full_like(good, 3)) is Unusable.TOO_DARK
    assert verdict(good // 20) is Unusable.TOO_DARK
    assert verdict(255 - good // 60) is Unusable.OVER_EXPOSED
    assert verdict(np.full_like(good, 120)) is Unusable.BLANK
    blobs = Image.fromarray(scene(5, 4)).resize((400, 300), Image.Resampling.BICUBIC)
    assert verdict(np.asarray(blobs)) is Unusable.BLURRED


def test_a_photo_is_not_unusable_for_being_dark_or_plain() -> None:
    night = np.zeros((300, 400, 3), np.uint8)
    night[100:200, 100:250] = scene(150, 100)  # an eighth of the picture is lit
    assert verdict(night) is None
    door = np.full((300, 400, 3), 235, np.uint8)
    door[150:154, 100:300] = 190  # a scratch on white paint
    assert verdict(door) is None


def test_reasons_are_explained() -> None:
    assert all(reason.explanation for reason in Unusable)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the photos in {DATA}")
def test_hardly_any_good_photo_is_called_unusable() -> None:
    """At most 0.5 %; on all 5,724 photos none was (measured)."""
    files = sorted(DATA.glob("**/*.jpg"))[::15]
    photos = [decode(file.read_bytes(), min_side=448) for file in files]
    refused = [judge(measure_quality(photo.pixels), photo.width, photo.height) for photo in photos]
    assert len(refused) - refused.count(None) <= len(refused) * 0.005
