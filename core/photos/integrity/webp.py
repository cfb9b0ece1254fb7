"""Whether a WEBP's compressed data is complete.

libwebp refuses data that ends too soon, but not data with a hole: it decodes zeros into something, and then the picture
is finished before its data is. Zeros in a row also stand for large plain areas, so that they are a reason to look and
no proof. The proof: the picture can be decoded without the last bytes of its data.

If VP8 data has several partitions (RFC 6386, 9.5), which libwebp makes only on request, the last one is looked at.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from core.errors import PhotoRefused, Refusal

_ZEROS = bytes(8)  # most photos have none in a row
_KINDS = (b"VP8 ", b"VP8L", b"ALPH")
_VP8_NEEDED = 8  # bytes at a stream's end: encoders add up to four that decoding does not need
_SHORTEST = 64  # a VP8 stream shorter than this may hold nothing that is needed: where all blocks are plain


@dataclass(frozen=True, slots=True)
class _Stream:
    """Compressed data: the kind of its chunk, where the chunk's content begins, and where the data begins and ends."""

    kind: bytes
    chunk: int
    start: int
    end: int


def check_webp(data: bytes) -> None:
    """Raise `PhotoRefused` if the file is shorter than it says, or if compressed data is left over."""
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise PhotoRefused(Refusal.TRUNCATED)
    for stream in _streams(data):
        is_long = stream.end - stream.start >= _SHORTEST
        if is_long and data.find(_ZEROS, stream.start, stream.end) >= 0 and _decodes(_shortened(data, stream)):
            raise PhotoRefused(Refusal.TRUNCATED, "a part of its data is missing")


def _streams(data: bytes) -> Iterator[_Stream]:
    """The compressed data of a still picture; of VP8 first what predicts the blocks, then their coefficients."""
    position = 12
    while position + 8 <= len(data):
        kind, start = data[position : position + 4], position + 8
        size = int.from_bytes(data[position + 4 : start], "little")
        end = min(start + size, len(data))
        if kind == b"VP8 ":
            coefficients = start + 10 + (_vp8_tag(data, start) >> 5)
            yield _Stream(kind, start, start, min(coefficients, end))
            yield _Stream(kind, start, coefficients, end)
        elif kind in _KINDS:
            yield _Stream(kind, start, start, end)
        position = start + size + size % 2


def _vp8_tag(data: bytes, start: int) -> int:
    """The tag that begins a VP8 frame; its upper 19 bits are the size of the first partition (RFC 6386, 9.1)."""
    return int.from_bytes(data[start : start + 3], "little")


def _shortened(data: bytes, stream: _Stream) -> bytes:
    """The file without the stream's last bytes, and with sizes that fit."""
    size = int.from_bytes(data[stream.chunk - 4 : stream.chunk], "little")
    # Lossless data needs its last byte. What is left is even, for libwebp also reads the byte that pads an odd chunk.
    removed = _VP8_NEEDED if stream.kind == b"VP8 " else 2 - size % 2
    head = bytearray(data[: stream.end - removed])
    rest = data[stream.end : stream.chunk + size]
    head[stream.chunk - 4 : stream.chunk] = (size - removed).to_bytes(4, "little")
    if stream.kind == b"VP8 " and stream.start == stream.chunk:
        head[stream.chunk : stream.chunk + 3] = (_vp8_tag(data, stream.chunk) - (removed << 5)).to_bytes(3, "little")
    padding = bytes((size - removed) % 2)
    behind = data[stream.chunk + size + size % 2 :]
    whole = bytes(head) + rest + padding + behind
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            image.load()
    except Exception:  # a decoder fed with hostile bytes may raise anything
        return False
    return True
