"""Orientation and date of a photo from its EXIF, if they are plausible."""

from datetime import UTC, datetime, timedelta, timezone

from PIL import Image

from core.photos.limits import YEARS

Orientation = Image.Transpose | None

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
# A date and its UTC offset: the moment of exposure before that of digitising.
_DATE_TAGS = ((0x9003, 0x9011), (0x9004, 0x9012))

# How to turn pixels upright, by the value of EXIF's Orientation (CIPA DC-008, 4.6.5).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def read_exif(image: Image.Image) -> tuple[Orientation, datetime | None]:
    """How to turn the pixels upright, and when the photo was taken (aware UTC); None if absent or implausible.

    A time without a recorded offset is taken as UTC. EXIF that cannot be read counts as absent: the pixels may be fine.
    `image` must be loaded, else errors of its pixels would be taken for errors of its EXIF.
    """
    try:
        exif = image.getexif()
        return _UPRIGHT.get(exif.get(_ORIENTATION, 1)), _taken_at(exif.get_ifd(_EXIF_IFD))
    except Exception:  # a parser of hostile bytes may raise anything
        return None, None


def upright_size(size: tuple[int, int], orientation: Orientation) -> tuple[int, int]:
    """Width and height after the turn."""
    return (size[1], size[0]) if orientation in _SWAPS_SIDES else size


def _taken_at(tags: dict[int, object]) -> datetime | None:
    moments = (_parse_date(tags.get(date), tags.get(offset)) for date, offset in _DATE_TAGS)
    return next((moment for moment in moments if moment is not None), None)


def _parse_date(date: object, offset: object) -> datetime | None:
    try:
        local = datetime.strptime(str(date).strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=_parse_offset(offset))
    except ValueError:
        return None
    if local.year not in YEARS:  # the first and the last year of all cannot be converted to every time zone
        return None
    moment = local.astimezone(UTC)
    return moment if moment.year in YEARS else None


def _parse_offset(offset: object) -> timezone:
    try:
        return timezone(datetime.strptime(str(offset).strip("\0 "), "%z").utcoffset() or timedelta())
    except ValueError:
        return UTC
