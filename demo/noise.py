"""Seeded value noise: the irregularity of clouds, leaves, asphalt, dents and dirt."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Level = Array | np.floating | float

_SIDE = 256
_TABLE = np.random.default_rng(20261120).random((_SIDE, _SIDE), dtype=np.float32)


def smoothstep(low: Level, high: Level, value: Array) -> Array:
    """0 below `low`, 1 above `high`, an S between (`low` may exceed `high`)."""
    t: Array = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Level, b: Array, share: Level) -> Array:
    """`a` where `share` is 0, `b` where it is 1."""
    return a + (b - a) * share


def least(values: Sequence[Array]) -> Array:
    """The smallest of several values at each point."""
    smallest: Array = np.minimum.reduce(values)
    return smallest


def value_noise(u: Array, v: Array) -> Array:
    """Smooth noise in [0, 1] with one random value per unit cell."""
    iu, iv = np.floor(u), np.floor(v)
    fu, fv = (u - iu).astype(np.float32), (v - iv).astype(np.float32)
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    a, b = iu.astype(np.int32) % _SIDE * _SIDE, iv.astype(np.int32) % _SIDE
    a1, b1 = (a + _SIDE) % (_SIDE * _SIDE), (b + 1) % _SIDE
    table = _TABLE.ravel()
    low = table[a + b] * (1 - fu) + table[a1 + b] * fu
    high = table[a + b1] * (1 - fu) + table[a1 + b1] * fu
    noise: Array = low * (1 - fv) + high * fv
    return noise


def fractal(u: Array, v: Array, octaves: int = 4) -> Array:
    """Sum of octaves of `value_noise`, each twice as fine and half as strong; in [0, 1]."""
    total, weight = np.zeros(np.shape(u), np.float32), 0.0
    for octave in range(octaves):
        total += value_noise(u * 2**octave + 17.3 * octave, v * 2**octave + 5.1 * octave) / 2**octave
        weight += 1 / 2**octave
    return total / weight


def cells(u: Array, v: Array) -> tuple[Array, Array]:
    """Voronoi shards: distance to the nearest border (0 on a crack) and a random value per shard."""
    iu, iv = np.floor(u), np.floor(v)
    first, second = np.full_like(u, 9.0), np.full_like(u, 9.0)
    shard = np.zeros_like(u)
    for du in (-1, 0, 1):
        for dv in (-1, 0, 1):
            a, b = (iu + du).astype(np.int64) % _SIDE, (iv + dv).astype(np.int64) % _SIDE
            distance = np.hypot(iu + du + _TABLE[a, b] - u, iv + dv + _TABLE[b, a] - v)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            shard = np.where(nearer, _TABLE[(a * 7 + b) % _SIDE, (b * 3 + 11) % _SIDE], shard)
            first = np.where(nearer, distance, first)
    return second - first, shard


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur of (rows, columns, channels), edges repeated."""
    if sigma < 0.3:
        return image
    reach = int(3 * sigma + 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(image.ndim)]
        padded = np.pad(image, padding, mode="edge")
        length = image.shape[axis]
        image = sum(k * padded.take(range(i, i + length), axis=axis) for i, k in enumerate(kernel))
    return image
