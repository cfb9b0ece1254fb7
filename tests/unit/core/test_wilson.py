"""Wilson's interval, against figures from elsewhere."""

import pytest

from core.wilson import wilson_interval


def test_one_of_six() -> None:
    """As SciPy's binomtest(1, 6).proportion_ci(method="wilson") gives it."""
    assert wilson_interval(1, 6) == pytest.approx((0.0301, 0.5635), abs=1e-4)


@pytest.mark.parametrize(("found", "edge"), [(0, 0), (9, 1)])
def test_it_stays_a_share(found: int, edge: int) -> None:
    assert wilson_interval(found, 9)[edge] == pytest.approx(edge)
