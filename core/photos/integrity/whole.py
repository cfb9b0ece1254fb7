"""The one question to ask before a file is decoded: are its bytes all there?"""

from core.photos.formats import Format
from core.photos.integrity.heif import check_heif
from core.photos.integrity.jpeg import check_jpeg
from core.photos.integrity.png import check_png
from core.photos.integrity.webp import check_webp

_CHECKS = {"JPEG": check_jpeg, "PNG": check_png, "WEBP": check_webp, "HEIF": check_heif}


def require_whole(data: bytes, format_: Format) -> None:
    """Raise `PhotoRefused` where a part of the picture's own data is missing.

    What a file holds beside the picture may be incomplete: thumbnails, second pictures, a trailer. Takes about a
    millisecond for most photos; only data that looks suspicious is decoded for it, once for a JPEG.
    """
    _CHECKS[format_](data)
