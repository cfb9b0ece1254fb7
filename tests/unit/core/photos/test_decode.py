import contextlib
import io
import struct
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

from core.domain import Pixels, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.decode import DecodedPhoto, decode, load_photo, make_views, min_side_for
from tests.unit.core.photos.pictures import difference, encoded, scene

register_heif_opener()
SCENE = scene(160, 120)


def refusal(data: bytes) -> Refusal:
    with pytest.raises(PhotoRefused) as caught:
        decode(data, min_side=448)
    return caught.value.reason


def decoded(data: bytes) -> DecodedPhoto:
    return decode(data, min_side=448)


@pytest.mark.parametrize(
    ("format_", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"quality": 95, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("HEIF", {"quality": 90}, 4),
    ],
)
def test_accepted_formats(format_: str, options: dict[str, object], tolerance: float) -> None:
    photo = decoded(encoded(SCENE, format_, **options))
    assert (photo.width, photo.height, photo.format, photo.taken_at) == (160, 120, format_, None)
    assert photo.pixels.dtype == np.uint8
    assert difference(photo.pixels, SCENE) <= tolerance


class TestModes:
    """Every way a file may hold its colours ends as the RGB a person would see."""

    def test_grey(self) -> None:
        grey = Image.fromarray(SCENE).convert("L")
        assert difference(decoded(encoded(grey, "PNG")).pixels, np.asarray(grey.convert("RGB"))) == 0

    def test_grey_jpeg(self) -> None:
        grey = Image.fromarray(SCENE).convert("L")
        assert difference(decoded(encoded(grey, "JPEG", quality=95)).pixels, np.asarray(grey.convert("RGB"))) < 3

    def test_sixteen_bit_grey_is_scaled_not_clipped(self) -> None:
        ramp = np.linspace(0, 65535, 160 * 120).reshape(120, 160).astype(np.uint16)
        data = encoded(Image.fromarray(ramp), "PNG")
        assert Image.open(io.BytesIO(data)).mode == "I;16"
        pixels = decoded(data).pixels
        assert np.array_equal(pixels[..., 0], (ramp >> 8).astype(np.uint8))

    def test_sixteen_bit_colour(self) -> None:
        wide = SCENE.astype(np.uint16) * 257
        assert difference(decoded(png16(wide)).pixels, SCENE) == 0

    @pytest.mark.parametrize("mode", ["1", "P"])
    def test_palette_and_bilevel(self, mode: str) -> None:
        image = Image.fromarray(SCENE).convert(mode)
        assert difference(decoded(encoded(image, "PNG")).pixels, np.asarray(image.convert("RGB"))) == 0

    def test_cmyk(self) -> None:
        """Adobe's convention, which cameras' software follows: inks are stored inverted."""
        data = encoded(Image.fromarray(SCENE).convert("CMYK"), "JPEG", quality=95)
        assert difference(decoded(data).pixels, SCENE) < 4

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparency_lies_on_white(self, mode: str) -> None:
        image = Image.fromarray(np.zeros((120, 160, 3), np.uint8)).convert(mode)
        alpha = Image.fromarray(np.repeat(np.linspace(0, 255, 160).astype(np.uint8)[None], 120, axis=0))
        image.putalpha(alpha)
        pixels = decoded(encoded(image, "PNG")).pixels
        assert np.abs(pixels[..., 1].astype(int) - (255 - np.asarray(alpha).astype(int))).max() <= 1

    def test_palette_with_transparency(self) -> None:
        image = Image.new("P", (160, 120), 1)
        image.putpalette([0, 0, 0, 200, 10, 10])
        image.paste(0, (0, 0, 80, 120))
        pixels = decoded(encoded(image, "PNG", transparency=0)).pixels
        assert pixels[60, 20].tolist() == [255, 255, 255]
        assert pixels[60, 120].tolist() == [200, 10, 10]

    def test_a_transparent_colour_in_rgb(self) -> None:
        image = Image.new("RGB", (160, 120), (1, 2, 3))
        image.paste((200, 10, 10), (80, 0, 160, 120))
        pixels = decoded(encoded(image, "PNG", transparency=(1, 2, 3))).pixels
        assert pixels[60, 20].tolist() == [255, 255, 255]
        assert pixels[60, 120].tolist() == [200, 10, 10]

    def test_a_broken_colour_profile_changes_nothing(self) -> None:
        assert difference(decoded(encoded(SCENE, "PNG", icc_profile=b"junk" * 99)).pixels, SCENE) == 0


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
    def test_all_eight(self, orientation: int, format_: str) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"quality": 95} if format_ == "JPEG" else {"lossless": True} if format_ == "WEBP" else {}
        photo = decoded(encoded(SCENE, format_, exif=exif, **options))
        expected = Image.fromarray(SCENE)
        expected.getexif()[0x0112] = orientation
        upright = np.asarray(ImageOps.exif_transpose(expected))
        assert (photo.width, photo.height) == ((160, 120) if orientation < 5 else (120, 160))
        assert difference(photo.pixels, upright) < 4

    def test_heif_is_turned_once(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        photo = decoded(encoded(SCENE, "HEIF", quality=90, exif=exif.tobytes()))
        assert (photo.width, photo.height) == (120, 160)
        assert difference(photo.pixels, np.rot90(SCENE, -1)) < 4

    @pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40, b"Exif\0\0"])
    def test_broken_exif_costs_no_photo(self, exif: bytes) -> None:
        photo = decoded(encoded(SCENE, "JPEG", exif=exif))
        assert (photo.width, photo.height, photo.taken_at) == (160, 120, None)


def test_the_date_of_a_photo_comes_from_its_exif() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:03:29 02:30:00"
    assert decoded(encoded(SCENE, "JPEG", exif=exif)).taken_at == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


class TestReduction:
    @pytest.mark.parametrize(("format_", "progressive"), [("JPEG", False), ("JPEG", True), ("PNG", False)])
    def test_the_shorter_side_keeps_what_was_asked(self, format_: str, progressive: bool) -> None:
        options = {"progressive": progressive} if format_ == "JPEG" else {}
        photo = decode(encoded(scene(1000, 700), format_, **options), min_side=100)
        assert (photo.width, photo.height) == (1000, 700)
        assert 100 <= min(photo.pixels.shape[:2]) < 200

    @given(width=st.integers(1, 300), height=st.integers(1, 300), min_side=st.integers(1, 400))
    @settings(max_examples=50, deadline=None)
    def test_any_size(self, width: int, height: int, min_side: int) -> None:
        photo = decode(encoded(Image.new("RGB", (width, height)), "JPEG"), min_side=min_side)
        rows, columns, _ = photo.pixels.shape
        assert min(rows, columns) >= min(min_side, width, height)
        assert (photo.width, photo.height) == (width, height)

    @pytest.mark.parametrize("plan", [ViewPlan(), ViewPlan(tiles=2), ViewPlan(size=320), ViewPlan(size=448)])
    def test_views_are_those_of_a_full_decode(self, plan: ViewPlan) -> None:
        """One grey level on average is far below what JPEG's own quality changes."""
        data = encoded(scene(2400, 1800), "JPEG", quality=92)
        views = make_views(decode(data, min_side=min_side_for(plan)).pixels, plan)
        full = np.asarray(Image.open(io.BytesIO(data)))
        assert difference(views, reference_views(full, plan)) < 1.0


class TestViews:
    def test_what_is_small_is_taken_as_it_is(self) -> None:
        """The semantics that models are trained with: antialiased bicubic, squashed, nothing cropped."""
        expected = Image.fromarray(SCENE).resize((64, 64), Image.Resampling.BICUBIC, reducing_gap=2.0)
        assert np.array_equal(make_views(SCENE, ViewPlan(size=64))[0], np.asarray(expected))

    def test_tiles_lie_row_by_row_and_reach_the_edges(self) -> None:
        pixels = np.zeros((100, 200, 3), np.uint8)
        pixels[:50, 100:] = 255  # upper right
        views = make_views(pixels, ViewPlan(size=10, tiles=2, tile_share=0.5))
        assert views.shape == (5, 10, 10, 3)
        assert [round(view.mean() / 255) for view in views[1:]] == [0, 1, 0, 0]

    def test_one_tile_is_the_centre(self) -> None:
        pixels = np.zeros((100, 100, 3), np.uint8)
        pixels[25:75, 25:75] = 255
        assert make_views(pixels, ViewPlan(size=10, tiles=1, tile_share=0.5))[1].min() > 200

    @given(
        width=st.integers(1, 500),
        height=st.integers(1, 500),
        tiles=st.integers(0, 4),
        share=st.floats(0.05, 1.0),
    )
    @settings(max_examples=150, deadline=None)
    def test_any_picture_and_plan(self, width: int, height: int, tiles: int, share: float) -> None:
        plan = ViewPlan(size=16, tiles=tiles, tile_share=share)
        assert (
            make_views(np.full((height, width, 3), 7, np.uint8), plan).tolist()
            == np.full((plan.count, 16, 16, 3), 7).tolist()
        )

    def test_load_photo_puts_it_together(self) -> None:
        plan = ViewPlan(size=32)
        data = encoded(SCENE, "PNG")
        photo = load_photo(data, plan)
        assert np.array_equal(photo.views, make_views(decode(data, min_side=min_side_for(plan)).pixels, plan))
        assert photo.quality.contrast > 0.1


class TestRefusals:
    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "HEIF"])
    @pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
    def test_truncated_anywhere(self, format_: str, share: float) -> None:
        data = encoded(SCENE, format_)
        assert refusal(data[: max(16, int(len(data) * share))]) is Refusal.TRUNCATED

    def test_truncated_progressive(self) -> None:
        data = encoded(SCENE, "JPEG", progressive=True)
        assert refusal(data[: len(data) // 2]) is Refusal.TRUNCATED

    def test_a_tail_of_zeros_is_not_grey_bodywork(self) -> None:
        data = encoded(SCENE, "JPEG", quality=95)
        assert refusal(data[: len(data) // 2] + bytes(2 * len(data))) is Refusal.TRUNCATED

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_cut_and_ended_again_is_not_grey_bodywork(self, share: float, mode: str) -> None:
        data = encoded(Image.fromarray(scene(640, 480)).convert(mode), "JPEG", quality=90)
        assert refusal(data[: int(len(data) * share)] + b"\xff\xd9") is Refusal.TRUNCATED

    def test_a_png_with_a_broken_middle(self) -> None:
        """Reading its EXIF first once hid this: the pixels came out as noise."""
        data = bytearray(encoded(SCENE, "PNG"))
        data[len(data) // 2] ^= 0xFF
        assert refusal(bytes(data)) is Refusal.CORRUPT

    def test_animated(self) -> None:
        frames = [Image.fromarray(scene(32, 32, seed)) for seed in range(3)]
        for format_ in ("PNG", "WEBP"):
            assert refusal(encoded(frames[0], format_, save_all=True, append_images=frames[1:])) is Refusal.ANIMATED

    def test_the_first_picture_of_an_mpo_is_the_photo(self) -> None:
        data = encoded(Image.fromarray(SCENE), "MPO", save_all=True, append_images=[Image.new("RGB", (160, 120))])
        photo = decoded(data)
        assert photo.format == "JPEG"
        assert difference(photo.pixels, SCENE) < 12

    def test_an_embedded_heif_thumbnail_is_never_the_photo(self) -> None:
        """Pillow's draft mode would take it, and it need not show the same."""
        data = encoded(scene(512, 384), "HEIF", quality=90, thumbnails=[128])
        assert decode(data, min_side=64).pixels.shape[:2] == (64, 86)

    def test_too_many_pixels(self) -> None:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 11_001, 8, 2, 0, 0, 0))
        data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
        assert refusal(data) is Refusal.TOO_MANY_PIXELS

    @pytest.mark.parametrize("size", [(8160, 6144), (8192, 6144), (9248, 6936), (12_032, 9024)])
    def test_the_largest_photos_of_phones_are_accepted(self, size: tuple[int, int]) -> None:
        photo = decoded(encoded(Image.new("RGB", size, "brown"), "JPEG", quality=20))
        assert (photo.width, photo.height) == size

    @pytest.mark.parametrize("side", [12_000, 60_000])
    def test_bombs(self, side: int) -> None:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
        assert refusal(data) is Refusal.TOO_MANY_PIXELS

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_damage_anywhere_is_a_photo_or_a_refusal(self, data: st.DataObject) -> None:
        file = bytearray(data.draw(st.sampled_from(_FILES)))
        for _ in range(data.draw(st.integers(1, 8))):
            file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(PhotoRefused):
            assert decode(bytes(file), min_side=64).pixels.dtype == np.uint8

    def test_a_refusal_is_the_same_each_time(self) -> None:
        """Pillow's own words for it hold a memory address."""
        with pytest.raises(PhotoRefused) as caught:
            decode(b"\xff\xd8\xff\xda\0\x02\xff\xd9" + bytes(40), min_side=64)
        assert "0x" not in str(caught.value)


_FILES = [encoded(scene(48, 40), format_) for format_ in ("JPEG", "PNG", "WEBP", "HEIF")]


def reference_views(full: Pixels, plan: ViewPlan) -> Pixels:
    """Views by the definition: the full photo, antialiased, no reduction on the way."""
    image = Image.fromarray(full)
    width, height = image.size
    offsets = (
        [index * (1 - plan.tile_share) / (plan.tiles - 1) for index in range(plan.tiles)] if plan.tiles > 1 else []
    )
    boxes = [(0.0, 0.0, 1.0, 1.0)] + [
        (x, y, x + plan.tile_share, y + plan.tile_share) for y in offsets for x in offsets
    ]
    size = (plan.size, plan.size)
    return np.stack(
        [
            np.asarray(image.resize(size, Image.Resampling.BICUBIC, (x * width, y * height, u * width, v * height)))
            for x, y, u, v in boxes
        ]
    )


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png16(wide: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> bytes:
    """A PNG of 16 bits per channel, which Pillow reads but does not write."""
    height, width, _ = wide.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
