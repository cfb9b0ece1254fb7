"""Comparing perceptual hashes (of `core.photos.phash`): 256 bits as 64 hex digits, 16 rows of 16 frequencies."""

SIDE = 16
_COARSE = 8  # the lowest 8 x 8 of the 16 x 16 frequencies
BANDS = 4
COARSE_BITS = 3  # the most that `near_halves` finds
_HALF = 32  # bits


def differing_bits(first: str, second: str) -> int:
    """In how many of their 256 bits two hashes differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def bands(likeness: str) -> tuple[int, ...]:
    """The hash's coarsest 64 bits as four numbers of 16."""
    coarse = _coarse_bits(likeness)
    return tuple((coarse >> 16 * (BANDS - 1 - band)) & 0xFFFF for band in range(BANDS))


def near_halves(likeness: str) -> tuple[list[int], list[int]]:
    """Of either half of the hash's coarsest 64 bits: itself, and its 32 neighbours that differ from it in one bit.

    Two hashes whose coarse bits differ in at most `COARSE_BITS` (three) differ in at most one within one of the halves,
    so that an index on each half, asked for these 33 values, finds every such pair.
    """
    upper, lower = divmod(_coarse_bits(likeness), 2**_HALF)
    return _within_one_bit(upper), _within_one_bit(lower)


def differing_coarse_bits(first: str, second: str) -> int:
    """In how many of their coarsest 64 bits two hashes differ."""
    return (_coarse_bits(first) ^ _coarse_bits(second)).bit_count()


def _within_one_bit(half: int) -> list[int]:
    return [half, *(half ^ 1 << bit for bit in range(_HALF))]


def _coarse_bits(likeness: str) -> int:
    rows = [likeness[row * SIDE // 4 :][: _COARSE // 4] for row in range(_COARSE)]
    return int("".join(rows), 16)
