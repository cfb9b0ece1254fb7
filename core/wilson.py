"""The confidence interval of a share that was counted on a small sample."""

from math import sqrt

_Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of the share `count` / `total`, within 0 to 1; `total` > 0. Wilson (1927), JASA 22: 209."""
    centre, spread = count + _Z**2 / 2, _Z * sqrt(count * (total - count) / total + _Z**2 / 4)
    return max(0.0, (centre - spread) / (total + _Z**2)), min(1.0, (centre + spread) / (total + _Z**2))
