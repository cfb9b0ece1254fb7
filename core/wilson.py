"""How sure a share is that was counted on a few."""

from math import sqrt

_Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def wilson_interval(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of the share `found` / `of`, within 0 to 1; `of` > 0. Wilson (1927), JASA 22: 209."""
    centre, spread = found + _Z**2 / 2, _Z * sqrt(found * (of - found) / of + _Z**2 / 4)
    return max(0.0, (centre - spread) / (of + _Z**2)), min(1.0, (centre + spread) / (of + _Z**2))
