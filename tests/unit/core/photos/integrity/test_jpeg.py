"""A JPEG with a hole is refused, whatever its kind; a whole one never is."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.domain import Pixels
from core.errors import PhotoRefused, Refusal
from core.photos.decode import decode
from core.photos.integrity.jpeg import check_jpeg
from tests.unit.core.photos.pictures import difference, encoded, on_plain, scene, with_hole

PHOTO = Image.fromarray(scene(640, 480))
UNSEEN = 0.05  # grey levels: the last bit of some blocks' means, in a scan of a progressive file
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "own tables": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "no subsampling": {"subsampling": 0},
}


def accepted(data: bytes) -> bool:
    return pixels_of(data) is not None


def pixels_of(data: bytes) -> Pixels | None:
    try:
        return decode(data, min_side=448).pixels
    except PhotoRefused as refused:
        return None if refused.reason in (Refusal.TRUNCATED, Refusal.CORRUPT) else np.zeros((0, 0, 3), np.uint8)


def scan_of(data: bytes) -> int:
    """The first byte of the first scan's data, or a few before."""
    return data.index(b"\xff\xda") + 14


@pytest.mark.parametrize("size", [32, 512, 4096])
@pytest.mark.parametrize("place", [0.0, 0.1, 0.35, 0.6, 0.9])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hole_is_refused(kind: str, place: float, size: int) -> None:
    data = encoded(PHOTO, "JPEG", quality=85, **KINDS[kind])
    whole, pixels = pixels_of(data), pixels_of(with_hole(data, place, size, scan_of(data)))
    assert whole is not None
    assert pixels is None or difference(whole, pixels) < UNSEEN


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hole_in_a_picture_with_plain_areas_is_refused(kind: str, place: float) -> None:
    data = encoded(on_plain("white"), "JPEG", quality=85, **KINDS[kind])
    assert not accepted(with_hole(data, place, 512, scan_of(data)))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_short_and_ended_is_refused(kind: str, share: float) -> None:
    data = encoded(PHOTO, "JPEG", quality=85, **KINDS[kind])
    assert not accepted(data[: int(share * len(data))] + b"\xff\xd9")
    assert not accepted(data[: int(share * len(data))] + bytes(500) + b"\xff\xd9")


def test_what_erased_memory_holds_is_refused() -> None:
    data = encoded(PHOTO, "JPEG", quality=85)
    middle = len(data) // 2
    assert not accepted(data[:middle] + b"\xff" * 512 + data[middle + 512 :])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colour", ["black", "white", "grey", "#808080", "brown"])
def test_plain_areas_are_no_holes(kind: str, colour: str) -> None:
    for quality in (30, 75, 92):
        for size in ((900, 700), (901, 703), (640, 480)):
            check_jpeg(encoded(on_plain(colour, size), "JPEG", quality=quality, **KINDS[kind]))
            assert accepted(encoded(Image.new("RGB", size, colour), "JPEG", quality=quality, **KINDS[kind]))


def test_a_grey_lower_border_is_part_of_the_photo() -> None:
    picture = scene(640, 512)
    picture[480:] = 128
    for kind in KINDS.values():
        assert accepted(encoded(picture, "JPEG", quality=90, **kind))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours(mode: str) -> None:
    data = encoded(PHOTO.convert(mode), "JPEG", progressive=True)
    assert accepted(data)
    assert not accepted(with_hole(data, 0.6, 512, scan_of(data)))


class TestOtherThingsInTheFile:
    """Second pictures, thumbnails and trailers may hold zeros and may end early."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "trailer",
        [
            bytes(5000),
            b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1764590000000SEFH" + bytes(40) + b"SEFT",
            b"\xff\xd8\xff\xe1" + bytes(3000) + b"\xff\xd9",
            b"\xff" * 64,
        ],
        ids=["zeros", "Samsung", "a second picture with a hole", "ones"],
    )
    def test_behind_the_picture(self, kind: str, trailer: bytes) -> None:
        assert accepted(encoded(PHOTO, "JPEG", quality=85, **KINDS[kind]) + trailer)

    def test_a_second_picture_that_was_cut(self) -> None:
        data = encoded(PHOTO, "MPO", save_all=True, append_images=[Image.fromarray(scene(640, 480, 1))])
        assert accepted(data[: -len(data) // 4])
        assert accepted(data[: -len(data) // 4] + bytes(len(data) // 4))

    def test_a_hole_in_the_first_of_two(self) -> None:
        data = encoded(PHOTO, "MPO", save_all=True, append_images=[Image.fromarray(scene(640, 480, 1))])
        assert not accepted(with_hole(data, 0.2, 512, scan_of(data)))

    def test_a_thumbnail_in_exif(self) -> None:
        thumbnail = encoded(Image.new("RGB", (160, 120)), "JPEG", optimize=True)
        assert accepted(encoded(PHOTO, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail + bytes(99)))

    @pytest.mark.parametrize("kind", KINDS)
    def test_padding_before_the_end_marker(self, kind: str) -> None:
        data = encoded(PHOTO, "JPEG", quality=85, **KINDS[kind])
        assert accepted(data[:-2] + bytes(64) + b"\xff\xd9")

    def test_fill_bytes_before_markers(self) -> None:
        data = encoded(PHOTO, "JPEG", quality=85)
        assert accepted(data[:-2] + b"\xff" * 6 + b"\xff\xd9")
        assert accepted(data[:2] + b"\xff\xff" + data[2:])


def test_zeros_in_a_quantisation_table_are_refused() -> None:
    data = bytearray(encoded(PHOTO, "JPEG", quality=85))
    table = data.index(b"\xff\xdb") + 5
    data[table + 20 : table + 30] = bytes(10)
    assert not accepted(bytes(data))


def test_the_data_of_most_photos_is_not_decoded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second decoding costs half of the first: it needs a reason."""
    monkeypatch.delattr("core.photos.integrity.jpeg.simplejpeg")
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(0, 255, (300, 400, 3), np.uint8)
        check_jpeg(encoded(noise, "JPEG", quality=90))
