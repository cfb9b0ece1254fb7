import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.phash_bits import BANDS, COARSE_BITS, bands, differing_bits, differing_coarse_bits, near_halves

hashes = st.integers(0, 2**256 - 1).map(lambda bits: f"{bits:064x}")


def flipped(likeness: str, row: int, column: int) -> str:
    return f"{int(likeness, 16) ^ 1 << 255 - (16 * row + column):064x}"


@given(hashes, st.randoms(use_true_random=False), st.integers(0, COARSE_BITS))
def test_what_differs_in_up_to_three_coarse_bits_is_near_in_a_half(
    likeness: str, rng: random.Random, differences: int
) -> None:
    other = likeness
    for place in rng.sample(range(64), differences):
        other = flipped(other, place // 8, place % 8)
    assert differing_coarse_bits(likeness, other) == differing_bits(likeness, other) == differences
    first, second, third, fourth = bands(other)
    upper, lower = near_halves(likeness)
    assert first << 16 | second in upper or third << 16 | fourth in lower


def test_a_half_has_itself_and_its_32_neighbours() -> None:
    upper, lower = near_halves("0" * 64)
    assert sorted(upper) == sorted(lower) == [0, *(2**bit for bit in range(32))]


@pytest.mark.parametrize(("row", "column", "coarse"), [(0, 0, 1), (7, 7, 1), (8, 0, 0), (0, 8, 0), (15, 15, 0)])
def test_only_the_lowest_frequencies_are_coarse(row: int, column: int, coarse: int) -> None:
    plain = "0" * 64
    assert differing_coarse_bits(plain, flipped(plain, row, column)) == coarse
    assert sum(band != 0 for band in bands(flipped(plain, row, column))) == coarse
    assert len(bands(plain)) == BANDS
