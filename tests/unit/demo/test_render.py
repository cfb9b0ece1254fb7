"""The rendered sample returns: there, small, free of metadata, and what the script draws."""

import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.keys import guess_layout
from core.photos.decode import decode
from core.photos.quality import measure_quality
from core.photos.usability import QualityLimits, judge

DEMO = Path(__file__).parents[3] / "demo"
PHOTOS = sorted((DEMO / "returns").rglob("*.jpg"))


def test_six_returns_of_four_photos_in_a_layout_that_is_recognised() -> None:
    keys = [photo.relative_to(DEMO / "returns").as_posix() for photo in PHOTOS]

    assert list(Counter(key.rpartition("/")[0] for key in keys).values()) == [4] * 6
    assert guess_layout(keys).template == "{fleet}/{vehicle}/{return}/"


def test_together_they_weigh_less_than_a_megabyte() -> None:
    assert max(photo.stat().st_size for photo in PHOTOS) <= 40_000
    assert sum(photo.stat().st_size for photo in PHOTOS) <= 1_000_000


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: "/".join(photo.parts[-3:]))
def test_each_can_be_scored_and_carries_no_metadata(photo: Path) -> None:
    data = photo.read_bytes()
    decoded = decode(data, min_side=448)

    assert (decoded.width, decoded.height) == (640, 480)
    assert judge(measure_quality(decoded.pixels), decoded.width, decoded.height, QualityLimits()) is None
    image = Image.open(io.BytesIO(data))
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_no_two_photos_are_the_same() -> None:
    assert len({photo.read_bytes() for photo in PHOTOS}) == len(PHOTOS)


def test_the_script_draws_what_is_shipped(tmp_path: Path) -> None:
    """Small, for speed: the shipped photo reduced to the same size differs by noise and compression only."""
    command = [sys.executable, str(DEMO / "render.py"), "--width", "96", "--only", "AP-077/03", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)

    (drawn,) = tmp_path.rglob("*.jpg")
    shipped = DEMO / "returns" / drawn.relative_to(tmp_path)
    small = np.asarray(Image.open(shipped).resize((96, 72), Image.Resampling.BOX), np.float32)
    difference = np.abs(np.asarray(Image.open(drawn), np.float32) - small)
    assert difference.mean() < 12
    assert np.corrcoef(np.asarray(Image.open(drawn)).ravel(), small.ravel())[0, 1] > 0.9
