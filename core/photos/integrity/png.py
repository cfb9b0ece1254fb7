"""Whether a PNG's chunks arrived as they were written: each carries a checksum (W3C PNG, 5.3)."""

from zlib import crc32

from core.errors import PhotoRefused, Refusal

_SIGNATURE_BYTES = 8
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # what the pixels come from; a wrong text chunk does no harm


def check_png(data: bytes) -> None:
    """Raise `PhotoRefused` where the file ends before its last chunk, or a chunk of pixels has another checksum."""
    position = _SIGNATURE_BYTES
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if not kind.isalpha():
            raise PhotoRefused(Refusal.CORRUPT, "no chunk begins where one must")
        if end > len(data):
            break
        expected = int.from_bytes(data[end - 4 : end], "big")
        if kind in _PIXELS and crc32(memoryview(data)[position + 4 : end - 4]) != expected:
            raise PhotoRefused(Refusal.CORRUPT, f"the checksum of {kind.decode()} is wrong")
        if kind == b"IEND":
            return
        position = end
    raise PhotoRefused(Refusal.TRUNCATED)
