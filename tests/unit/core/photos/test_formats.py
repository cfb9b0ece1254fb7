import pytest

from core.errors import PhotoRefused, Refusal
from core.photos.formats import recognise
from core.photos.limits import MAX_BYTES


def box(brand: bytes, *compatible: bytes) -> bytes:
    content = brand + bytes(4) + b"".join(compatible)
    return (8 + len(content)).to_bytes(4, "big") + b"ftyp" + content + bytes(32)


@pytest.mark.parametrize(
    ("data", "format_"),
    [
        (b"\xff\xd8\xff\xe1", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WEBP"),
        (box(b"heic", b"mif1"), "HEIF"),
        (box(b"mif1", b"miaf", b"heic"), "HEIF"),
    ],
)
def test_photos(data: bytes, format_: str) -> None:
    assert recognise(data) == format_


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("nothing", b"", Refusal.EMPTY),
        ("too large", b"\xff\xd8\xff" + bytes(MAX_BYTES), Refusal.TOO_LARGE),
        ("gif", b"GIF89a", Refusal.FORMAT_NOT_ACCEPTED),
        ("tiff", b"II*\0\x08\0\0\0", Refusal.FORMAT_NOT_ACCEPTED),
        ("raw", b"MM\0*\0\0\0\x08", Refusal.FORMAT_NOT_ACCEPTED),
        ("bmp", b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0", Refusal.FORMAT_NOT_ACCEPTED),
        ("jpeg xl", b"\xff\x0a\xfa", Refusal.FORMAT_NOT_ACCEPTED),
        ("avif", box(b"avif", b"mif1"), Refusal.FORMAT_NOT_ACCEPTED),
        ("avif called mif1", box(b"mif1", b"avif"), Refusal.FORMAT_NOT_ACCEPTED),
        ("canon raw", box(b"crx "), Refusal.FORMAT_NOT_ACCEPTED),
        ("heic sequence", box(b"hevc", b"heic"), Refusal.ANIMATED),
        ("video", box(b"isom", b"mp42"), Refusal.NOT_A_PHOTO),
        ("iphone video", box(b"qt  "), Refusal.NOT_A_PHOTO),
        ("text", b"BMW, returned without damage", Refusal.NOT_A_PHOTO),
        ("pdf", b"%PDF-1.7", Refusal.NOT_A_PHOTO),
        ("zip", b"PK\x03\x04", Refusal.NOT_A_PHOTO),
        ("sound", b"RIFF\0\0\0\0WAVE", Refusal.NOT_A_PHOTO),
        ("half a signature", b"\xff\xd8", Refusal.NOT_A_PHOTO),
        ("zeros", bytes(100), Refusal.NOT_A_PHOTO),
    ],
)
def test_everything_else(name: str, data: bytes, reason: Refusal) -> None:
    with pytest.raises(PhotoRefused) as caught:
        recognise(data)
    assert caught.value.reason is reason, name
