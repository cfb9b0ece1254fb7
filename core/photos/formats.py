"""What a file is, by its first bytes. Nothing is decoded here."""

from typing import Literal

from core.errors import PhotoRefused, Refusal
from core.photos.limits import MAX_BYTES

Format = Literal["JPEG", "PNG", "WEBP", "HEIF"]

START_BYTES = 256  # show what a file is: the longest is an ISO container's list of brands

_STILL_HEVC = (b"heic", b"heix", b"heim", b"heis")
_HEVC_SEQUENCE = (b"hevc", b"hevx", b"hevm", b"hevs", b"msf1")
_HEIF_ANY_CODEC = b"mif1"
# Known and not accepted: GIF, TIFF (and the raw formats built on it), BMP, Photoshop, JPEG XL, JPEG 2000.
_OTHER_PICTURES = (
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL \r\n",
    b"\0\0\0\x0cjP  \r\n",
)
_OTHER_PICTURE_BRANDS = (b"avif", b"avis", b"mif1", b"crx ")


def recognise(data: bytes) -> Format:
    """The format of a whole file. Raises `PhotoRefused` for a file that is empty, too large, or of another format."""
    if not data:
        raise PhotoRefused(Refusal.EMPTY)
    if len(data) > MAX_BYTES:
        raise PhotoRefused(Refusal.TOO_LARGE)
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _recognise_brand(data)
    is_bitmap = data.startswith(b"BM") and data[6:10] == bytes(4)
    if is_bitmap or data.startswith(_OTHER_PICTURES):
        raise PhotoRefused(Refusal.FORMAT_NOT_ACCEPTED)
    raise PhotoRefused(Refusal.NOT_A_PHOTO)


def is_picture(start: bytes) -> bool:
    """Whether a file whose first `START_BYTES` these are is a picture of any kind, accepted or not."""
    try:
        recognise(start)
    except PhotoRefused as error:
        return error.reason not in (Refusal.EMPTY, Refusal.NOT_A_PHOTO)
    return True


def _recognise_brand(data: bytes) -> Format:
    """HEIF, AVIF, Canon's raw files and videos share one container and differ by brand (ISO 14496-12, 4.3)."""
    major = data[8:12]
    box = data[16 : int.from_bytes(data[:4], "big")]
    compatible = {box[start : start + 4] for start in range(0, len(box), 4)}
    if major in _STILL_HEVC or (major == _HEIF_ANY_CODEC and compatible.intersection(_STILL_HEVC)):
        return "HEIF"
    if major in _HEVC_SEQUENCE:
        raise PhotoRefused(Refusal.ANIMATED)
    raise PhotoRefused(Refusal.FORMAT_NOT_ACCEPTED if major in _OTHER_PICTURE_BRANDS else Refusal.NOT_A_PHOTO)
