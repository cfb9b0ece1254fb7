import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from core.photos.exif import read_exif, upright_size
from tests.unit.core.photos.pictures import encoded, scene


def opened(exif: Image.Exif | bytes) -> Image.Image:
    """A loaded photo with this EXIF."""
    image = Image.open(io.BytesIO(encoded(scene(64, 48), "JPEG", exif=exif)))
    image.load()
    return image


def taken_at(**tags: object) -> datetime | None:
    exif = Image.Exif()
    numbers = {"date": 0x9003, "offset": 0x9011, "digitised": 0x9004, "digitised_offset": 0x9012}
    exif.get_ifd(0x8769).update({numbers[name]: value for name, value in tags.items()})
    return read_exif(opened(exif))[1]


def test_without_offset_it_is_utc() -> None:
    assert taken_at(date="2026:03:29 02:30:00") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def test_an_offset_is_believed() -> None:
    moment = taken_at(date="2026:03:29 02:30:00", offset="+03:00")
    assert moment == datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    assert moment.tzinfo is UTC


def test_digitised_is_second_best() -> None:
    assert taken_at(date="", digitised="2026:03:29 02:30:00", digitised_offset="-01:00") == datetime(
        2026, 3, 29, 3, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "date",
    ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "2026:02:30 12:00:00", "yesterday", "9999:12:31 23:59:59"],
)
def test_absurd_dates_are_absent(date: str) -> None:
    assert taken_at(date=date, offset="-12:00") is None


def test_an_absurd_offset_is_none() -> None:
    assert taken_at(date="2026:03:29 02:30:00", offset="+99:99") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(("date", "offset"), [("1995:01:01 00:30:00", "+14:00"), ("2099:12:31 23:30:00", "-12:00")])
def test_a_date_whose_moment_is_in_an_implausible_year_is_absent(date: str, offset: str) -> None:
    assert taken_at(date=date, offset=offset) is None


def test_the_earliest_date_costs_no_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769).update({0x9003: "0001:01:01 00:00:00", 0x9011: "+14:00"})
    assert read_exif(opened(exif)) == (Image.Transpose.ROTATE_270, None)


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64)), (99, (64, 48))]
)
def test_the_size_after_turning(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    transpose, _ = read_exif(opened(exif))
    assert upright_size((64, 48), transpose) == size


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f"])
def test_exif_that_cannot_be_read_is_absent(exif: bytes) -> None:
    assert read_exif(opened(exif)) == (None, None)
