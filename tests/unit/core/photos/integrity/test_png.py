import zlib

import pytest
from PIL import Image

from core.errors import PhotoRefused, Refusal
from core.photos.integrity.png import check_png
from tests.unit.core.photos.pictures import encoded, on_plain, scene, with_hole

PHOTO = encoded(scene(320, 240), "PNG")
STORED = encoded(scene(320, 240), "PNG", compress_level=0)  # zeros anywhere would decode without an error


def refusal(data: bytes) -> Refusal:
    with pytest.raises(PhotoRefused) as caught:
        check_png(data)
    return caught.value.reason


@pytest.mark.parametrize("size", [4, 64, 4096])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("data", [PHOTO, STORED], ids=["compressed", "stored"])
def test_a_hole_is_refused(data: bytes, place: float, size: int) -> None:
    assert refusal(with_hole(data, place, size, 60)) in (Refusal.CORRUPT, Refusal.TRUNCATED)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_file_cut_short_is_truncated(share: float) -> None:
    assert refusal(PHOTO[: int(len(PHOTO) * share)]) is Refusal.TRUNCATED


def test_whole_files() -> None:
    check_png(PHOTO)
    check_png(STORED)
    check_png(PHOTO + bytes(999))
    check_png(encoded(on_plain("white").quantize(16), "PNG"))
    check_png(encoded(Image.new("RGBA", (400, 300)), "PNG"))


def test_a_wrong_checksum_of_what_is_no_pixel_does_no_harm() -> None:
    text = b"tEXt" + b"Comment\0a car"
    chunk = (len(text) - 4).to_bytes(4, "big") + text + (zlib.crc32(text) ^ 1).to_bytes(4, "big")
    check_png(PHOTO[:33] + chunk + PHOTO[33:])
