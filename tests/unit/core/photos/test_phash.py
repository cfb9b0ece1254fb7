import io

import imagehash
import numpy as np
import pytest
from PIL import Image

from core.domain import Pixels
from core.phash_bits import differing_bits, differing_coarse_bits
from core.photos.phash import perceptual_hash
from tests.unit.core.photos.pictures import scene


def compressed(pixels: Pixels, quality: int) -> Pixels:
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored))


@pytest.mark.parametrize("size", [(640, 480), (97, 500), (64, 64), (1, 1)])
def test_it_is_imagehashs_phash_to_the_bit(size: tuple[int, int]) -> None:
    pixels = scene(*size)
    assert perceptual_hash(pixels) == str(imagehash.phash(Image.fromarray(pixels), hash_size=16))


def test_a_copy_stays_alike_and_another_photo_does_not() -> None:
    photo = scene(800, 600)
    small = np.asarray(Image.fromarray(photo).resize((400, 300), Image.Resampling.BICUBIC))
    for copy in (compressed(photo, 40), compressed(small, 80)):
        assert differing_bits(perceptual_hash(photo), perceptual_hash(copy)) <= 36
        assert differing_coarse_bits(perceptual_hash(photo), perceptual_hash(copy)) <= 3
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    assert differing_bits(perceptual_hash(photo), perceptual_hash(mirrored)) > 64
