import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.phash_bits import (
    BANDS,
    COARSE_BITS,
    bands,
    differing_bits,
    differing_coarse_bits,
    near_groups,
    near_halves,
    near_pairs,
)

hashes = st.integers(0, 2**256 - 1).map(lambda bits: f"{bits:064x}")


def flipped(phash: str, row: int, column: int) -> str:
    return f"{int(phash, 16) ^ 1 << 255 - (16 * row + column):064x}"


@given(hashes, st.randoms(use_true_random=False), st.integers(0, COARSE_BITS))
def test_what_differs_in_up_to_three_coarse_bits_is_near_in_a_half(
    phash: str, rng: random.Random, differences: int
) -> None:
    other = phash
    for place in rng.sample(range(64), differences):
        other = flipped(other, place // 8, place % 8)
    assert differing_coarse_bits(phash, other) == differing_bits(phash, other) == differences
    first, second, third, fourth = bands(other)
    upper, lower = near_halves(phash)
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


def near_one_another(clusters: int, size: int, seed: int = 0) -> list[str]:
    """Clusters of hashes, each at most five bits from another of its cluster."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(clusters):
        value = int.from_bytes(rng.bytes(32), "big")
        for _ in range(size):
            value ^= sum(1 << int(bit) for bit in set(rng.integers(0, 256, 5)))
            result.append(f"{value:064x}")
    return result


@given(st.lists(hashes | st.sampled_from(near_one_another(3, 5)), max_size=12), st.integers(0, 64))
def test_near_pairs_are_those_that_differ_in_so_few_bits(values: list[str], within: int) -> None:
    expected = [
        (first, second)
        for first in range(len(values))
        for second in range(first + 1, len(values))
        if differing_bits(values[first], values[second]) <= within
    ]
    assert near_pairs(values, within) == expected


@given(st.lists(st.none() | hashes | st.sampled_from(near_one_another(3, 5)), max_size=12), st.integers(0, 64))
def test_near_groups_are_what_near_pairs_connect(values: list[str | None], within: int) -> None:
    groups = list(range(len(values)))
    for first, one in enumerate(values):
        for second, other in enumerate(values):
            if one is not None and other is not None and differing_bits(one, other) <= within:
                groups = [groups[first] if group == groups[second] else group for group in groups]
    assert partition(near_groups(values, within)) == partition(groups)


def partition(groups: list[int]) -> set[frozenset[int]]:
    return {frozenset(i for i, group in enumerate(groups) if group == number) for number in groups}


@pytest.mark.parametrize(("clusters", "size"), [(10_000, 1), (5_000, 2), (100, 100), (1, 10_000)])
def test_ten_thousand_are_grouped_in_under_a_second(clusters: int, size: int) -> None:
    values = near_one_another(clusters, size)
    start = time.process_time()
    groups = near_groups(values, 36)
    assert time.process_time() - start < 1
    assert len(set(groups)) == clusters
