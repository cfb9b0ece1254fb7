from collections.abc import Callable

import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from core.errors import PhotoRefused, Refusal
from core.photos.decode import decode
from core.photos.integrity.heif import check_heif
from tests.unit.core.photos.pictures import difference, encoded, on_plain, scene, with_hole

register_heif_opener()
SCENE = scene(640, 480)
PHOTO = encoded(SCENE, "HEIF", quality=80)
WITH_THUMBNAIL = encoded(SCENE, "HEIF", quality=80, thumbnails=[128])
TRAILERS = {
    "a byte": b"\n",
    "zeros": bytes(5000),
    "Samsung": b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1764590000000SEFH" + bytes(40) + b"SEFT",
    "Samsung's motion photo": b"\0\0\xa0\x7f" + b"mpvd" + bytes(3000) + b"SEFT",
    "a box cut short": b"\0\x10\0\0free" + bytes(100),
}


def boxes(data: bytes) -> dict[bytes, bytes]:
    found, position = {}, 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        found[data[position + 4 : position + 8]] = data[position : position + size]
        position += size
    return found


def moved(data: bytes, arrange: Callable[[dict[bytes, bytes]], bytes]) -> bytes:
    """The file with its boxes arranged otherwise, and the offsets of its index moved along with `mdat`."""
    parts = boxes(data)
    result = arrange(parts)
    content = parts[b"mdat"][8:]
    by = result.index(content) - data.index(content)
    start = result.index(b"iloc")
    index = result[start : start + int.from_bytes(result[start - 4 : start], "big") - 4]
    first = data.index(content).to_bytes(4, "big")  # of the one item that there is
    assert index.count(first) == 1
    moved_index = index.replace(first, (data.index(content) + by).to_bytes(4, "big"))
    return result[:start] + moved_index + result[start + len(index) :]


def in_64_bits(box: bytes) -> bytes:
    return b"\0\0\0\x01" + box[4:8] + (len(box) + 8).to_bytes(8, "big") + box[8:]


def refusal(data: bytes) -> Refusal:
    with pytest.raises(PhotoRefused) as caught:
        decode(data, min_side=448)
    return caught.value.reason


@pytest.mark.parametrize("size", [8, 64, 4096])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.99, 1.0])
def test_a_hole_is_refused(place: float, size: int) -> None:
    assert refusal(with_hole(PHOTO, place, size, PHOTO.index(b"mdat") + 16)) is Refusal.TRUNCATED


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_file_cut_short_is_truncated(share: float) -> None:
    assert refusal(PHOTO[: int(len(PHOTO) * share)]) is Refusal.TRUNCATED


@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS)
def test_what_follows_the_last_box_does_no_harm(trailer: bytes) -> None:
    assert difference(decode(PHOTO + trailer, min_side=448).pixels, decode(PHOTO, min_side=448).pixels) == 0


@pytest.mark.parametrize(
    "arrange",
    [
        lambda parts: parts[b"ftyp"] + in_64_bits(parts[b"mdat"]) + parts[b"meta"],
        lambda parts: parts[b"ftyp"] + parts[b"meta"] + in_64_bits(parts[b"mdat"]),
        lambda parts: parts[b"ftyp"] + parts[b"mdat"] + parts[b"meta"],
    ],
    ids=["64 bits first", "64 bits last", "32 bits first"],
)
def test_boxes_in_any_order_and_of_64_bits(arrange: Callable[[dict[bytes, bytes]], bytes]) -> None:
    data = moved(PHOTO, arrange)
    assert difference(decode(data, min_side=448).pixels, decode(PHOTO, min_side=448).pixels) == 0
    content = data.index(boxes(PHOTO)[b"mdat"][8:])
    assert refusal(data[: content + 2000] + bytes(64) + data[content + 2064 :]) is Refusal.TRUNCATED
    assert refusal(data[: content + 2000]) is Refusal.TRUNCATED


def test_a_hole_in_a_thumbnail_does_no_harm() -> None:
    """It lies behind the picture's own data."""
    picture = len(boxes(PHOTO)[b"mdat"]) - 8
    start = WITH_THUMBNAIL.index(b"mdat") + 4
    hole = slice(start + picture + 200, start + picture + 300)
    assert hole.stop < len(WITH_THUMBNAIL)
    check_heif(WITH_THUMBNAIL[: hole.start] + bytes(100) + WITH_THUMBNAIL[hole.stop :])


@pytest.mark.parametrize("colour", ["black", "white", "#808080", "brown"])
def test_plain_areas_are_no_holes(colour: str) -> None:
    for quality in (10, 50, 95):
        check_heif(encoded(on_plain(colour), "HEIF", quality=quality, exif=b"Exif\0\0" + bytes(999)))
        check_heif(encoded(Image.new("RGB", (800, 600), colour), "HEIF", quality=quality))


@pytest.mark.parametrize(
    "data", [b"", PHOTO[:28], PHOTO[:28] + b"\0\0\0\x18meta" + bytes(4) + b"\0\0\0\x0cpitm" + bytes(4)]
)
def test_an_index_that_makes_no_sense_is_for_the_decoder(data: bytes) -> None:
    check_heif(data)


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def number(value: int, size: int = 2) -> bytes:
    return value.to_bytes(size, "big")


class TestTiles:
    """As iPhones write them: a grid (item 3) of tiles (items 1 and 2), a gain map (item 4), EXIF (item 5)."""

    TILE, GAIN_MAP, EXIF = b"\x26\x01" * 500, b"\x28\x01" * 300, b"\0\0\0\x06Exif" + bytes(200)
    LAYERS = bytes(10)  # the description of a picture made of others may be zeros: black, from the corner

    def file(self, tile: bytes = TILE, gain_map: bytes = GAIN_MAP, missing: int = 0, circle: bool = False) -> bytes:
        pieces = [self.TILE, tile, gain_map, self.EXIF]

        def index(start: int) -> bytes:
            offsets = [start + sum(map(len, pieces[:i])) for i in range(4)]
            places = [
                number(item, 4) + number(0) * 2 + number(1) + number(offset, 4) + number(len(piece), 4)
                for item, offset, piece in zip((1, 2, 4, 5), offsets, pieces, strict=True)
            ]
            grid = number(3, 4) + number(1) + number(0) + number(1) + number(0, 4) + number(len(self.LAYERS), 4)
            parts = [number(3), number(2), number(1 if not circle else 3), number(2)]
            return box(
                b"meta",
                bytes(4),
                box(b"pitm", bytes(4), number(3)),
                box(b"iref", bytes(4), box(b"dimg", *parts), box(b"thmb", number(4), number(1), number(3))),
                box(b"iloc", b"\x02" + bytes(3), number(0x4400), number(5, 4), *places, grid),
                box(b"idat", self.LAYERS),
            )

        ftyp = box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
        start = len(ftyp) + len(index(0)) + 8
        data = ftyp + index(start) + box(b"mdat", *pieces)
        return data[: len(data) - missing]

    def test_whole(self) -> None:
        check_heif(self.file())
        check_heif(self.file(circle=True))

    def test_a_hole_in_a_tile_is_refused(self) -> None:
        with pytest.raises(PhotoRefused):
            check_heif(self.file(tile=self.TILE[:400] + bytes(8) + self.TILE[408:]))

    def test_a_hole_in_what_is_not_shown_does_no_harm(self) -> None:
        check_heif(self.file(gain_map=bytes(600)))

    def test_only_what_is_shown_must_be_there(self) -> None:
        behind_tiles = len(self.GAIN_MAP) + len(self.EXIF)
        with pytest.raises(PhotoRefused):
            check_heif(self.file(missing=behind_tiles + 1))
