"""Whether a JPEG's entropy-coded data is complete, up to the end of the first picture in the file.

A decoder makes pixels of anything: of zeros where a block never arrived, and of grey where the data ends too soon. But
Huffman codes say how long they are, so that data with a hole almost never ends where its picture ends. libjpeg-turbo
notices, and simplejpeg passes its warnings on, which Pillow does not. That second decoding costs half of the first, so
it is done where there is a reason: equal bytes in a row; progressive files, where later scans may be missing; and
pictures that end in libjpeg's grey.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import simplejpeg

from core.errors import PhotoRefused, Refusal

_HUFFMAN_TABLES, _START_OF_SCAN, _QUANTISATION_TABLES = 0xC4, 0xDA, 0xDB
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)  # the SOF markers of progressive frames
_END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")
_ZEROS = bytes(8)
_ONES = bytes([0xFF] * 4)  # what erased memory holds
_STREAMS = 12  # at most so many of the streams with zeros are looked at: no progressive file has many more scans
_NEEDED = 3  # bytes: without its last three no stream can be decoded to its end, for at most seven bits are padding
_DATA_WARNING = "Corrupt JPEG data"  # how libjpeg begins what it says of entropy-coded data


@dataclass(frozen=True, slots=True)
class _Stream:
    """Where entropy-coded data begins and ends. `is_detail`: of a progressive scan without the blocks' means.

    Such scans code plain areas as a number of blocks, so that their data has no zeros in a row (seven at most in 600
    files of photos and plain areas).
    """

    start: int
    end: int
    is_detail: bool


@dataclass(slots=True)
class _Header:
    """What stands before the first scan. `first_symbols` are those of the codes of nothing but zeros, of each table."""

    is_progressive: bool = False
    first_symbols: list[int] = field(default_factory=list)
    scan: int = 0

    @property
    def plain_areas_are_zeros(self) -> bool:
        """Whether an area of one colour is coded as zeros: no change of the mean, then end of block."""
        return self.is_progressive or not any(self.first_symbols)


def check_jpeg(data: bytes) -> None:
    """Raise `PhotoRefused` where the data of the first picture is incomplete. Not well formed is for the decoder."""
    header = _read_header(data)
    if header is None:
        return
    if data.rfind(_END, header.scan) < 0:
        raise PhotoRefused(Refusal.TRUNCATED)
    zeros, ones = data.find(_ZEROS, header.scan), data.find(_ONES, header.scan)
    if not header.is_progressive and zeros < 0 and ones < 0:
        return
    end = data.find(_END, header.scan)
    has_zeros, has_ones = 0 <= zeros < end, 0 <= ones < end
    is_padding = not data[zeros:end].strip(b"\0")
    if has_zeros and not is_padding and not header.plain_areas_are_zeros:
        raise _incomplete()
    if has_zeros or has_ones or header.is_progressive:
        require_complete_data(data)


def require_complete_data(data: bytes) -> None:
    """Decode the first picture, at an eighth of its size, and raise `PhotoRefused` if data is missing or left over."""
    header = _read_header(data)
    if header is None:
        return
    picture = data[: data.find(_END, header.scan)]
    # Zeros directly before the end marker may be a camera's padding; if they stand for data, the rest is too short.
    if not any(_is_complete(candidate, header.scan) for candidate in dict.fromkeys((picture, picture.rstrip(b"\0")))):
        raise _incomplete()


def _is_complete(picture: bytes, scan: int) -> bool:
    """Whether all data is there and, of each stream with zeros in a row, none is left over.

    libjpeg does not notice a few bytes that are left over; but then the stream can be decoded without its last bytes.
    """
    if not _decodes(picture):
        return False
    with_zeros = (stream for stream in _streams(picture, scan) if picture.find(_ZEROS, stream.start, stream.end) >= 0)
    return not any(
        (stream.is_detail and picture.find(2 * _ZEROS, stream.start, stream.end) >= 0)
        or _decodes(picture[: stream.end - _NEEDED] + picture[stream.end :])
        for stream in islice(with_zeros, _STREAMS)
    )


def _streams(picture: bytes, start: int) -> Iterator[_Stream]:
    """The entropy-coded streams, from the first scan on: each to the next marker, also to one for a restart."""
    is_detail = picture[start - 3] > 0  # the first frequency of a scan, in its header
    while True:
        marker = _MARKER.search(picture, start)
        yield _Stream(start, marker.start() if marker else len(picture), is_detail)
        while marker and not _RESTARTS.match(marker[0]):  # the tables and the header of the next scan
            start = marker.end() + int.from_bytes(picture[marker.end() : marker.end() + 2], "big")
            if marker[0][1] == _START_OF_SCAN:
                is_detail = picture[start - 3 : start - 2] > b"\0"
                break
            marker = _MARKER.match(picture, start)
        else:
            if marker is None:
                return
            start = marker.end()


def _decodes(picture: bytes) -> bool:
    """Whether libjpeg misses no data and skips none. What it does not know at all is for Pillow to judge."""
    file = picture + _END
    try:
        *_, colours, _ = simplejpeg.decode_jpeg_header(file)
        colours = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(file, colorspace=colours, min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as error:
        return _DATA_WARNING not in str(error)
    return True


def _read_header(data: bytes) -> _Header | None:
    """Read up to the first scan; None if it is not well formed. Raises `PhotoRefused` if the file ends before that."""
    header = _Header()
    for marker, start, end in _segments(data):
        if end > len(data):
            raise PhotoRefused(Refusal.TRUNCATED)
        if marker in _PROGRESSIVE:
            header.is_progressive = True
        elif marker == _QUANTISATION_TABLES and _has_zero_divisor(data[start:end]):
            raise PhotoRefused(Refusal.TRUNCATED, "a quantisation table holds zeros")
        elif marker == _HUFFMAN_TABLES:
            header.first_symbols += _first_symbols(data[start:end])
        elif marker == _START_OF_SCAN:
            header.scan = end
            return header
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments up to the first scan: marker, first byte of the content, first byte behind it.

    The last one may reach past the end of the file. Ends silently where the file is not well formed.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, position + 4, end
        position = end
    yield 0, len(data), len(data) + 1  # the file ends before any scan


def _has_zero_divisor(tables: bytes) -> bool:
    """Whether a table of a DQT segment holds a zero, which no encoder may write (ITU-T T.81, B.2.4.1)."""
    position = 0
    while position < len(tables):
        width = 2 if tables[position] >> 4 else 1
        table = tables[position + 1 : position + 1 + 64 * width]
        if any(not any(table[i : i + width]) for i in range(0, len(table), width)):
            return True
        position += 1 + 64 * width
    return False


def _first_symbols(tables: bytes) -> Iterator[int]:
    """Of each table of a DHT segment the symbol whose code is all zeros (ITU-T T.81, B.2.4.2 and C)."""
    position = 0
    while position + 17 < len(tables):
        yield tables[position + 17]
        position += 17 + sum(tables[position + 1 : position + 17])


def _incomplete() -> PhotoRefused:
    return PhotoRefused(Refusal.TRUNCATED, "a part of its data is missing")
