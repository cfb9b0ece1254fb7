"""Forty files that nobody should upload, made by this script, each with what must become of it.

`python -m tests.faults.hostile FOLDER` writes them out.
"""

import io
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pillow_heif import register_heif_opener

register_heif_opener()
_SIDE = 128


@dataclass(frozen=True)
class Hostile:
    """A file; `reason` is None where it is a photo after all and must be scored."""

    name: str
    data: bytes
    reason: str | None = None
    status: str = "quarantined"


def _noise(redness: int = -30, side: int = _SIDE) -> Image.Image:
    pixels = np.random.default_rng(side).integers(60, 200, (side, side, 1)).repeat(3, axis=2)
    pixels[..., 0] += redness
    return Image.fromarray(pixels.astype(np.uint8))


def _file(image: Image.Image, format_: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, format_, **options)
    return target.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("loot.sh", "rm -rf /")
    return target.getvalue()


def _exif(size: int) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "x" * size
    exif[0x0112] = 6
    return exif.tobytes()


def _wide(colours: int) -> bytes:
    values = np.random.default_rng(7).integers(15_000, 50_000, (_SIDE, _SIDE * colours))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return _png(_SIDE, _SIDE, rows, depth=16, colour=0 if colours == 1 else 2)


def _with_patched_size(jpeg: bytes, side: int) -> bytes:
    """A JPEG whose header announces another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", side, side) + jpeg[at + 9 :]


def _with_hole(data: bytes) -> bytes:
    """The file as it is where a block of its middle never arrived."""
    middle = len(data) // 2
    return data[:middle] + bytes(4096) + data[middle + 4096 :]


@cache
def corpus() -> list[Hostile]:
    """The files."""
    return [*_cut_short(), *_too_much(), *_unusual_photos(), *_no_photos()]


def _cut_short() -> list[Hostile]:
    jpeg, png = _file(_noise(), "JPEG", quality=90), _file(_noise(), "PNG")
    webp, heic = _file(_noise(), "WEBP", quality=90), _file(_noise(), "HEIF", quality=90)
    half = len(jpeg) // 2
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0xFF
    return [
        Hostile("zero-bytes.jpg", b"", "empty"),
        Hostile("one-byte.jpg", b"\xff", "not_a_photo"),
        Hostile("cut-in-header.jpg", jpeg[:40], "truncated"),
        Hostile("cut-at-a-tenth.jpg", jpeg[: len(jpeg) // 10], "truncated"),
        Hostile("cut-in-the-middle.jpg", jpeg[:half], "truncated"),
        Hostile("cut-before-its-end.jpg", jpeg[:-2], "truncated"),
        Hostile("tail-of-zeros.jpg", jpeg[:half] + bytes(half), "truncated"),
        Hostile("cut-and-ended.jpg", jpeg[:half] + b"\xff\xd9", "truncated"),
        Hostile("cut-in-the-middle.png", png[: len(png) // 2], "truncated"),
        Hostile("cut-and-ended.png", png[: len(png) // 2] + _chunk(b"IEND", b""), "truncated"),
        Hostile("one-bit-flipped.png", bytes(flipped), "corrupt"),
        Hostile("cut-in-the-middle.webp", webp[: len(webp) // 2], "truncated"),
        Hostile("cut-in-the-middle.heic", heic[: len(heic) // 2], "truncated"),
        Hostile("hole.jpg", _with_hole(jpeg), "truncated"),
        Hostile("hole-progressive.jpg", _with_hole(_file(_noise(), "JPEG", progressive=True)), "truncated"),
        Hostile("hole.webp", _with_hole(webp), "truncated"),
        Hostile("hole.heic", _with_hole(heic), "truncated"),
        Hostile("no-picture-inside.jpg", b"\xff\xd8\xff\xd9", "truncated"),
    ]


def _too_much() -> list[Hostile]:
    text = PngInfo()
    text.add_text("Comment", "x" * 8_000_000, zip=True)
    return [
        Hostile("announces-3600-megapixels.png", _png(60_000, 60_000, b""), "too_many_pixels"),
        Hostile(
            "announces-4290-megapixels.jpg", _with_patched_size(_file(_noise(), "JPEG"), 65_500), "too_many_pixels"
        ),
        Hostile("48-megapixels-in-50-kilobytes.png", _png(8_000, 6_000, bytes(6_000 * 8_001)), "too_dark", "unusable"),
        Hostile("text-that-unpacks-to-8-megabytes.png", _file(_noise(), "PNG", pnginfo=text), "corrupt"),
        Hostile("20000-chunks.png", _png(1, 1, b"\0\0", extra=_chunk(b"teSt", b"") * 20_000), "too_small", "unusable"),
        Hostile("one-pixel.jpg", _file(Image.new("RGB", (1, 1)), "JPEG"), "too_small", "unusable"),
        Hostile("black.jpg", _file(Image.new("RGB", (_SIDE, _SIDE)), "JPEG"), "too_dark", "unusable"),
    ]


def _unusual_photos() -> list[Hostile]:
    """Photos after all: what they hold must be scored as a person would see it."""
    grey = np.random.default_rng(3).integers(60, 200, (_SIDE, _SIDE)).astype(np.uint8)
    return [
        Hostile("cmyk.jpg", _file(_noise().convert("CMYK"), "JPEG", quality=95)),
        Hostile("grey.jpg", _file(Image.fromarray(grey), "JPEG", quality=90)),
        Hostile("sixteen-bit-grey.png", _wide(1)),
        Hostile("palette.png", _file(_noise().convert("P"), "PNG")),
        Hostile("huge-exif.jpg", _file(_noise(), "JPEG", quality=90, exif=_exif(60_000))),
        Hostile(
            "broken-exif.jpg",
            _file(_noise(), "JPEG", quality=90, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40),
        ),
        Hostile("bad-colour-profile.jpg", _file(_noise(), "JPEG", quality=90, icc_profile=b"no profile" * 50)),
        Hostile("a-png-called.jpg", _file(_noise(), "PNG")),
        Hostile("a-zip-behind-it.jpg", _file(_noise(), "JPEG", quality=90) + _zip()),
        Hostile("heic-called.jpg", _file(_noise(), "HEIF", quality=95)),
    ]


def _no_photos() -> list[Hostile]:
    frames = [_noise(-30, side) for side in (64, 64, 64)]
    ftyp_sequence = _box(b"ftyp", b"hevc" + bytes(4) + b"hevcheic") + bytes(64)
    ftyp_avif = _box(b"ftyp", b"avif" + bytes(4) + b"mif1miaf") + bytes(64)
    video = _box(b"ftyp", b"isom" + bytes(4) + b"isommp42") + _box(b"mdat", bytes(500))
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    return [
        Hostile("animated.png", _file(frames[0], "PNG", save_all=True, append_images=[_noise(40, 64)]), "animated"),
        Hostile("animated.webp", _file(frames[0], "WEBP", save_all=True, append_images=[_noise(40, 64)]), "animated"),
        Hostile("sequence.heic", ftyp_sequence, "animated"),
        Hostile("avif-called.heic", ftyp_avif, "format_not_accepted"),
        Hostile("gif-and-script.jpg", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)", "format_not_accepted"),
        Hostile("tiff-called.jpg", _file(_noise(), "TIFF"), "format_not_accepted"),
        Hostile("video-called.jpg", video, "not_a_photo"),
        Hostile("picture.svg", svg, "not_a_photo"),
        Hostile("text-called.jpg", b"Returned without damage. Signed, the customer.", "not_a_photo"),
    ]


def main() -> None:
    """Write the files into the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file in corpus():
        (folder / file.name).write_bytes(file.data)
        print(f"{file.name}: {file.reason or 'scored'}")  # noqa: T201  a command's answer


if __name__ == "__main__":
    main()
