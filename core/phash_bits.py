"""Comparing perceptual hashes (of `core.photos.phash`): 256 bits as 64 hex digits, 16 rows of 16 frequencies."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

SIDE = 16
_COARSE = 8  # the lowest 8 x 8 of the 16 x 16 frequencies
BANDS = 4
COARSE_BITS = 3  # the most that `near_halves` finds
_HALF = 32  # bits


def differing_bits(first: str, second: str) -> int:
    """In how many of their 256 bits two hashes differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def near_pairs(hashes: Sequence[str], within: int) -> list[tuple[int, int]]:
    """The index pairs (first < second) of hashes that differ in at most `within` bits, in order.

    Compares each with each: 10,000 hashes take half a second.
    """
    words = _words(hashes)
    return [
        (first, first + 1 + int(offset))
        for first in range(len(hashes) - 1)
        for offset in _near(words[:, first + 1 :], words[:, first], within)
    ]


def near_groups(hashes: Sequence[str | None], within: int) -> list[int]:
    """For each hash the number of its group: those that differ in at most `within` bits are together, also indirectly.

    None is in a group of its own. Takes half a second for 10,000 hashes, whether many are near one another or none.
    """
    groups = list(range(len(hashes)))
    known = [number for number, phash in enumerate(hashes) if phash is not None]
    left, words = np.array(known, np.intp), _words([phash for phash in hashes if phash is not None])
    while len(left):
        group, frontier = int(left[0]), [words[:, 0]]
        left, words = left[1:], words[:, 1:]
        while frontier and len(left):
            near = _near(words, frontier.pop(), within)
            if not len(near):
                continue
            frontier += list(words[:, near].T)
            for number in left[near]:
                groups[number] = group
            others = np.ones(len(left), np.bool_)
            others[near] = False
            left, words = left[others], words[:, others]
    return groups


def bands(phash: str) -> tuple[int, ...]:
    """The hash's coarsest 64 bits as four numbers of 16."""
    coarse = _coarse_bits(phash)
    return tuple((coarse >> 16 * (BANDS - 1 - band)) & 0xFFFF for band in range(BANDS))


def near_halves(phash: str) -> tuple[list[int], list[int]]:
    """Of either half of the hash's coarsest 64 bits: itself, and its 32 neighbours that differ from it in one bit.

    Two hashes whose coarse bits differ in at most `COARSE_BITS` (three) differ in at most one within one of the halves,
    so that an index on each half, asked for these 33 values, finds every such pair.
    """
    upper, lower = divmod(_coarse_bits(phash), 2**_HALF)
    return _within_one_bit(upper), _within_one_bit(lower)


def differing_coarse_bits(first: str, second: str) -> int:
    """In how many of their coarsest 64 bits two hashes differ."""
    return (_coarse_bits(first) ^ _coarse_bits(second)).bit_count()


def _within_one_bit(half: int) -> list[int]:
    return [half, *(half ^ 1 << bit for bit in range(_HALF))]


def _coarse_bits(phash: str) -> int:
    rows = [phash[row * SIDE // 4 :][: _COARSE // 4] for row in range(_COARSE)]
    return int("".join(rows), 16)


def _words(hashes: Sequence[str]) -> Words:
    """The hashes' bits as uint64 (4, hashes)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, 4).T.copy()


def _near(words: Words, one: Words, within: int) -> NDArray[np.intp]:
    """Which of `words` (4, n) differ from `one` (4,) in at most `within` bits. Half the bits rule nearly all out."""
    half = np.bitwise_count(words[0] ^ one[0]) + np.bitwise_count(words[1] ^ one[1])
    candidates = np.flatnonzero(half <= within)
    rest = np.bitwise_count(words[2:, candidates] ^ one[2:, np.newaxis]).sum(axis=0, dtype=np.intp)
    near: NDArray[np.intp] = candidates[half[candidates] + rest <= within]
    return near
