"""The photos that benchmarks are made with are as they say."""

import hashlib
import io
from itertools import combinations

from PIL import Image

from core.domain import ViewPlan
from core.photos.decode import load_photo
from core.photos.usability import judge
from tests.benchmarks.photographs import photographs

REUSED_WITHIN = 36  # bits of 256: the shipped policy's


def test_photographs_are_usable_distinct_and_repeatable() -> None:
    photos = list(photographs(3))
    assert all(3_000_000 < len(data) < 4_000_000 for data in photos)
    assert len({hashlib.sha256(data).digest() for data in photos}) == len(photos)
    with Image.open(io.BytesIO(photos[0])) as image:
        assert (image.format, image.size, "progressive" in image.info) == ("JPEG", (4000, 3000), False)
    loaded = [load_photo(data, ViewPlan()) for data in photos]
    assert all(judge(photo.quality, photo.width, photo.height) is None for photo in loaded)
    for one, other in combinations(loaded, 2):
        assert (int(one.phash, 16) ^ int(other.phash, 16)).bit_count() > REUSED_WITHIN
    assert next(photographs(1)) == photos[0]
