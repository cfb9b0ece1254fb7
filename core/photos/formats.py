"""What a file is, by its first bytes, and whether it reaches its own end. Nothing is decoded here."""

from typing import Literal

from core.errors import PhotoRefused, Refusal
from core.photos.limits import MAX_BYTES

Format = Literal["JPEG", "PNG", "WEBP", "HEIF"]

START_BYTES = 256  # show what a file is: the longest is an ISO container's list of brands

_STILL_HEVC = (b"heic", b"heix", b"heim", b"heis")
_HEVC_SEQUENCE = (b"hevc", b"hevx", b"hevm", b"hevs", b"msf1")
_HEIF_ANY_CODEC = b"mif1"
# Pictures we know and do not take: GIF, TIFF (and the raw formats built on it), BMP, Photoshop, JPEG XL, JPEG 2000.
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
    """The format of a whole file. Raises `PhotoRefused` for whatever is empty, too large, or not on the list."""
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


def ends_early(data: bytes, format_: Format) -> bool:
    """Whether the file stops before the end that its own structure announces.

    A decoder notices most of these itself, but not a JPEG whose tail a dying phone left as zeros: those decode as grey.
    """
    match format_:
        case "JPEG":
            return _jpeg_ends_early(data)
        case "PNG":
            return b"IEND\xaeB`\x82" not in data
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little") > len(data)
        case "HEIF":
            return _boxes_end_early(data)


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


def _jpeg_ends_early(data: bytes) -> bool:
    """Walk the segments to the first scan; from there on the bytes FF D9 can only be the end of the image.

    They are looked for from the file's end, where they nearly always are: from the front it takes milliseconds.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return False  # not well formed: the decoder will say so
        marker = data[position + 1]
        if marker == 0xDA:
            return data.rfind(b"\xff\xd9", position) < 0
        is_padding = marker == 0xFF
        position += 1 if is_padding else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return True


def _boxes_end_early(data: bytes) -> bool:
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:  # the real size follows, in 64 bits
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:
            return False  # 0 reaches to the end; anything else the decoder will refuse
        position += size
    return position > len(data)
