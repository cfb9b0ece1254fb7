"""Comparing perceptual hashes (of `core.photos.likeness`): 256 bits as 64 hex digits, 16 rows of 16 frequencies."""

SIDE = 16
_COARSE = 8  # the lowest 8 x 8 of the 16 x 16 frequencies
BANDS = 4


def differing_bits(first: str, second: str) -> int:
    """In how many of their 256 bits two hashes differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def bands(likeness: str) -> tuple[int, ...]:
    """The hash's coarsest 64 bits as four numbers of 16.

    Two hashes whose coarse bits differ in at most three have at least one of the four in common (three differences
    cannot touch four bands), so that an index on each finds every such pair.
    """
    coarse = _coarse_bits(likeness)
    return tuple((coarse >> 16 * (BANDS - 1 - band)) & 0xFFFF for band in range(BANDS))


def differing_coarse_bits(first: str, second: str) -> int:
    """In how many of their coarsest 64 bits two hashes differ."""
    return (_coarse_bits(first) ^ _coarse_bits(second)).bit_count()


def _coarse_bits(likeness: str) -> int:
    rows = [likeness[row * SIDE // 4 :][: _COARSE // 4] for row in range(_COARSE)]
    return int("".join(rows), 16)
