"""How long returns wait: a day of arrivals, and nodes that take them in turn."""

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 86_400.0
SEED = 20_261_123
# Counters are busy before work and after it: (hour, spread in hours, share of the day's returns); the rest is even.
PEAKS = ((8.5, 1.2, 0.35), (17.5, 1.7, 0.45))


def rate_by_second() -> Floats:
    """The daily curve: returns a second, of one return a day, for every second from 03:00 on."""
    hours = (np.arange(DAY) / 3600 + 3) % 24
    even = 1 - sum(share for _, _, share in PEAKS)
    curve = np.full(len(hours), even / DAY)
    for centre, width, share in PEAKS:
        bell = np.exp(-(((hours - centre) / width) ** 2) / 2)
        curve += share * bell / bell.sum()
    return curve


def peak_to_mean() -> float:
    """How many times the day's mean its busiest second sees."""
    return float(rate_by_second().max() * DAY)


@lru_cache(maxsize=2)  # one of ten million takes 80 MB
def arrivals(returns: int) -> Floats:
    """When each return of a day comes, in seconds from 03:00: a Poisson process of that number, by the daily curve."""
    share = np.concatenate([[0.0], np.cumsum(rate_by_second())])
    drawn = np.sort(np.random.default_rng(SEED).random(returns))
    when: Floats = np.interp(drawn, share / share[-1], np.arange(DAY + 1))
    return when


def waits(arrived: Floats, nodes: int, service_s: float) -> Floats:
    """Seconds from each arrival to its end, where every node takes one return at a time in order of arrival.

    All take the same time, so the n-th starts when it is there and the (n - nodes)-th is done: each node serves every
    `nodes`-th return, a chain of its own whose ends are (j + 1) s + max over i <= j of (arrival_i - i s).
    """
    count = len(arrived)
    chains = np.full((-(-count // nodes), nodes), np.inf)
    chains.ravel()[:count] = arrived
    served = np.arange(len(chains), dtype=np.float64)[:, None] * service_s
    ends = np.maximum.accumulate(chains - served, axis=0) + served + service_s
    waited: Floats = ends.ravel()[:count] - arrived
    return waited


@cache
def percentiles(returns: int, nodes: int, service_s: float) -> tuple[float, float]:
    """The median of a day's waits, and what 95 of 100 stay under, in seconds."""
    median, late = np.quantile(waits(arrivals(returns), nodes, service_s), [0.5, 0.95])
    return float(median), float(late)


def least_nodes(returns: int, service_s: float, within_s: float) -> int:
    """The fewest nodes with which 95 of 100 returns of a day end within so many seconds."""
    low, high = 0, 1 + int(returns * service_s / DAY * peak_to_mean())
    while percentiles(returns, high, service_s)[1] > within_s:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if percentiles(returns, middle, service_s)[1] > within_s:
            low = middle
        else:
            high = middle
    return high
