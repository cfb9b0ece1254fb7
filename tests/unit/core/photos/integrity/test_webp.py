from typing import Any

import pytest
from PIL import Image

from core.errors import PhotoRefused, Refusal
from core.photos.decode import decode
from core.photos.integrity.webp import check_webp
from tests.unit.core.photos.pictures import encoded, on_plain, scene, with_hole

PHOTO = Image.fromarray(scene(640, 480))
KINDS: dict[str, dict[str, Any]] = {"lossy": {"quality": 80}, "lossless": {"lossless": True, "method": 1}}


def refused(data: bytes) -> bool:
    """Whether it is refused, by the check or by libwebp."""
    try:
        decode(data, min_side=448)
    except PhotoRefused:
        return True
    return False


@pytest.mark.parametrize(("kind", "size"), [("lossy", 32), ("lossy", 512), ("lossless", 512), ("lossless", 4096)])
@pytest.mark.parametrize("place", [0.05, 0.3, 0.6, 0.9, 1.0])
def test_a_hole_is_refused(kind: str, place: float, size: int) -> None:
    data = encoded(PHOTO, "WEBP", **KINDS[kind])
    assert not refused(data)
    assert refused(with_hole(data, place, size, 40))


def test_a_hole_in_transparency_is_refused() -> None:
    image = PHOTO.convert("RGBA")
    image.putalpha(Image.fromarray(scene(640, 480, 1)).convert("L"))
    data = encoded(image, "WEBP", quality=80)
    alpha = data.index(b"ALPH")
    assert not refused(data)
    assert refused(data[: alpha + 4000] + bytes(512) + data[alpha + 4512 :])


def test_a_file_cut_short_is_truncated() -> None:
    with pytest.raises(PhotoRefused) as caught:
        check_webp(encoded(PHOTO, "WEBP")[:-9])
    assert caught.value.reason is Refusal.TRUNCATED


@pytest.mark.parametrize("method", [0, 4, 6])
@pytest.mark.parametrize("colour", ["black", "white", "#808080", "brown"])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_areas_are_no_holes(kind: str, colour: str, method: int) -> None:
    for size in ((900, 700), (333, 222), (1600, 1200)):
        check_webp(encoded(on_plain(colour, size), "WEBP", **KINDS[kind] | {"method": method}))
        check_webp(encoded(Image.new("RGB", size, colour), "WEBP", **KINDS[kind] | {"method": method}))


def test_whole_files_with_more_in_them() -> None:
    transparent = on_plain("white").convert("RGBA")
    transparent.putalpha(0)
    for image in (PHOTO, on_plain("black"), transparent):
        check_webp(encoded(image, "WEBP", quality=80, icc_profile=bytes(999), exif=b"Exif\0\0" + bytes(999)))
        check_webp(encoded(image, "WEBP", quality=80) + bytes(999))
