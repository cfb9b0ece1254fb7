import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.likeness import BANDS, bands, differing_bits, differing_coarse_bits

hashes = st.integers(0, 2**256 - 1).map(lambda bits: f"{bits:064x}")


def flipped(likeness: str, row: int, column: int) -> str:
    return f"{int(likeness, 16) ^ 1 << 255 - (16 * row + column):064x}"


@given(hashes, st.randoms(use_true_random=False), st.integers(0, 3))
def test_up_to_three_coarse_differences_leave_a_band_alike(likeness: str, rng: random.Random, differences: int) -> None:
    other = likeness
    for place in rng.sample(range(64), differences):
        other = flipped(other, place // 8, place % 8)
    assert differing_coarse_bits(likeness, other) == differing_bits(likeness, other) == differences
    assert any(first == second for first, second in zip(bands(likeness), bands(other), strict=True))


@pytest.mark.parametrize(("row", "column", "coarse"), [(0, 0, 1), (7, 7, 1), (8, 0, 0), (0, 8, 0), (15, 15, 0)])
def test_only_the_lowest_frequencies_are_coarse(row: int, column: int, coarse: int) -> None:
    plain = "0" * 64
    assert differing_coarse_bits(plain, flipped(plain, row, column)) == coarse
    assert sum(band != 0 for band in bands(flipped(plain, row, column))) == coarse
    assert len(bands(plain)) == BANDS
