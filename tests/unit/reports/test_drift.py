"""The population stability index, against figures worked out by hand, and what it is called."""

import pytest

from db.queries.night_figures import ScoreShape
from reports.drift import FEWEST, drift


def shape(*tenths: int) -> ScoreShape:
    return ScoreShape(tenths, damaged=0)


def test_the_index_is_that_of_counts_with_half_a_set_added_to_each_tenth() -> None:
    """Each tenth counts as (n + 0.5) / (N + 5)."""
    recent = shape(90, 0, 0, 0, 0, 0, 0, 0, 0, 10)
    before = shape(100, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    # (90.5 - 100.5) / 105 * ln(90.5 / 100.5) + (10.5 - 0.5) / 105 * ln(10.5 / 0.5)
    assert drift(recent, before).index == pytest.approx(0.0099817 + 0.2899545, abs=1e-6)


def test_an_empty_tenth_on_one_side_leaves_a_finite_index() -> None:
    assert drift(shape(100, *[0] * 9), shape(*[0] * 9, 100)).index == pytest.approx(10.1015, abs=1e-4)


@pytest.mark.parametrize(
    ("high", "words"),
    [(0, "are distributed as in the four weeks before"), (6, "differ a little from"), (10, "differ clearly from")],
)
def test_the_words_follow_the_index(high: int, words: str) -> None:
    assert words in drift(shape(100 - high, *[0] * 8, high), shape(100, *[0] * 9)).words


def test_too_few_returns_are_not_compared() -> None:
    found = drift(shape(FEWEST - 1, *[0] * 9), shape(FEWEST, *[0] * 9))
    assert found.index is None
    assert f"({FEWEST - 1} of {FEWEST})" in found.words
