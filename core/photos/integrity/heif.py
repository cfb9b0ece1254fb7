"""Whether the coded picture of a HEIC is complete, by the places that its own index gives (ISO 14496-12 and 23008-12).

libde265 decodes zeros without an error. But HEVC keeps zeros apart: inside a NAL unit three zero bytes never follow one
another (ITU-T H.265, 7.4.2), and the lengths between the units add three at most.

Only the primary picture and the tiles that it is made of are looked at. What else a file holds may end early or have
holes: thumbnails, gain maps, and what phones append, such as Samsung's motion photos.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import PhotoRefused, Refusal

_ZEROS = bytes(8)
_IN_FILE, _IN_META = 0, 1  # what an item's offsets count from: the file's beginning, or the box `idat`


@dataclass(slots=True)
class _Index:
    """What the box `meta` says: the primary item, the items that another is derived from, and where items lie."""

    primary: int | None = None
    derived_from: dict[int, list[int]] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def check_heif(data: bytes) -> None:
    """Raise `PhotoRefused` where the primary picture's data reaches past the file's end, or has a hole.

    A file whose index makes no sense is for the decoder to refuse.
    """
    index = _Index()
    for kind, start, end in _boxes(data, 0, len(data)):
        if end > len(data):
            raise PhotoRefused(Refusal.TRUNCATED)
        if kind == b"meta":
            try:
                index = _read_index(data, start + 4, end)
            except IndexError:
                return
            break
    for first, size in (place for item in _coded_items(index) for place in index.places.get(item, [])):
        if first + size > len(data):
            raise PhotoRefused(Refusal.TRUNCATED)
        if data.find(_ZEROS, first, first + size) >= 0:
            raise PhotoRefused(Refusal.TRUNCATED, "a part of its data is missing")


def _coded_items(index: _Index) -> set[int]:
    """The items that hold the primary picture's pixels: itself, or what it is made of, such as the tiles of a grid."""
    coded, derived, left = set(), set(), [] if index.primary is None else [index.primary]
    while left:
        item = left.pop()
        if item in derived:  # a circle
            continue
        if item in index.derived_from:
            derived.add(item)
            left += index.derived_from[item]
        else:
            coded.add(item)
    return coded


def _boxes(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a container: kind, first byte of the content, first byte behind it, which may lie past `end`."""
    while position + 8 <= end:
        size, content = int.from_bytes(data[position : position + 4], "big"), position + 8
        if size == 1:  # the real size follows, in 64 bits
            size, content = int.from_bytes(data[position + 8 : position + 16], "big"), position + 16
        box_end = end if size == 0 else position + size
        if box_end < content:
            return
        yield data[position + 4 : position + 8], content, box_end
        position = box_end


def _read_index(data: bytes, start: int, end: int) -> _Index:
    """Raises `IndexError` where a box is shorter than what it must hold."""
    index = _Index()
    boxes = {kind: (content, min(box_end, end)) for kind, content, box_end in _boxes(data, start, end)}
    if b"pitm" in boxes:
        reader = _Reader(data, *boxes[b"pitm"])
        index.primary = reader.number(2 if reader.version() == 0 else 4)
    if b"iref" in boxes:
        content, box_end = boxes[b"iref"]
        width = 2 if data[content] == 0 else 4
        for kind, reference, reference_end in _boxes(data, content + 4, box_end):
            if kind == b"dimg":
                reader = _Reader(data, reference, reference_end)
                item = reader.number(width)
                index.derived_from[item] = [reader.number(width) for _ in range(reader.number(2))]
    if b"iloc" in boxes:
        index.places = _read_places(_Reader(data, *boxes[b"iloc"]), boxes.get(b"idat", (0, 0))[0])
    return index


def _read_places(reader: "_Reader", idat: int) -> dict[int, list[tuple[int, int]]]:
    """Of each item the first byte and the size of its pieces (ISO 14496-12, 8.11.3)."""
    version = reader.version()
    widths = reader.number(2)
    offset_width, length_width, base_width, index_width = (widths >> shift & 0xF for shift in (12, 8, 4, 0))
    places: dict[int, list[tuple[int, int]]] = {}
    for _ in range(reader.number(4 if version == 2 else 2)):
        item = reader.number(4 if version == 2 else 2)
        counted_from = reader.number(2) & 0xF if version else _IN_FILE
        reader.number(2)  # which file: 0 is this one
        base = reader.number(base_width)
        pieces = []
        for _ in range(reader.number(2)):
            reader.number(index_width if version else 0)
            offset = base + reader.number(offset_width)
            pieces.append((offset + (idat if counted_from == _IN_META else 0), reader.number(length_width)))
        if counted_from in (_IN_FILE, _IN_META):
            places[item] = pieces
    return places


class _Reader:
    """Big-endian numbers from a box's content, one after the other."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self._data = data
        self._position = position
        self._end = end

    def number(self, size: int) -> int:
        """The next `size` bytes; `IndexError` past the box's end."""
        start, self._position = self._position, self._position + size
        if self._position > self._end:
            raise IndexError("the box is too short")
        return int.from_bytes(self._data[start : self._position], "big")

    def version(self) -> int:
        """The version of a full box; its flags are skipped."""
        return self.number(4) >> 24
