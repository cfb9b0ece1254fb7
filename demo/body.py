"""The shape of a car: a side profile swept over its width, wheels, mirrors and handles, as a signed distance in metres.

x points forward, y to the car's left, z up; the car stands on z = 0, centred on x = y = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from noise import Array, blur, least, smoothstep

WHEEL_X, WHEEL_RADIUS, ARCH_RADIUS = 1.3, 0.325, 0.385
WHEEL_Y = 0.765
_X0, _Z0, _CELL = -2.7, -0.3, 0.01
_COLUMNS, _ROWS = 540, 240

HATCHBACK = (
    (-1.93, 0.24), (-2.06, 0.36), (-2.10, 0.58), (-2.07, 0.82), (-2.00, 1.02), (-1.84, 1.22), (-1.66, 1.40),
    (-1.25, 1.475), (-0.55, 1.505), (0.00, 1.455), (0.42, 1.25), (0.86, 1.01), (1.04, 0.955),
    (1.50, 0.90), (1.86, 0.80), (2.02, 0.70), (2.10, 0.52), (2.08, 0.34), (1.94, 0.22), (0.5, 0.20), (-0.8, 0.20),
)  # fmt: skip
SALOON = (
    (-2.18, 0.26), (-2.30, 0.40), (-2.31, 0.62), (-2.27, 0.86), (-2.16, 0.995), (-1.80, 1.04), (-1.55, 1.10),
    (-1.12, 1.34), (-0.75, 1.435), (-0.30, 1.455), (0.10, 1.40), (0.48, 1.22), (0.88, 0.99), (1.06, 0.94),
    (1.55, 0.88), (1.95, 0.77), (2.12, 0.66), (2.20, 0.50), (2.17, 0.33), (2.02, 0.21), (0.5, 0.19), (-0.9, 0.19),
)  # fmt: skip

Displacement = Callable[[Array], Array]


def _spline(points: tuple[tuple[float, float], ...], steps: int = 14) -> Array:
    """Closed Catmull-Rom curve through `points`."""
    p = np.array(points, np.float32)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (q[:, None] for q in (before, p, after, beyond))
    curve: Array = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return curve.reshape(-1, 2)


def _distance_to_outline(x: Array, z: Array, outline: Array) -> Array:
    """Signed distance of each point to a closed polygon, negative inside."""
    nearest, inside = np.full(x.shape, 1e9, np.float32), np.zeros(x.shape, bool)
    for (ax, az), (bx, bz) in zip(outline, np.roll(outline, -1, 0), strict=True):
        ex, ez = bx - ax, bz - az
        t = np.clip(((x - ax) * ex + (z - az) * ez) / (ex * ex + ez * ez + 1e-12), 0, 1)
        nearest = np.minimum(nearest, (x - ax - t * ex) ** 2 + (z - az - t * ez) ** 2)
        if az != bz:
            inside ^= ((az > z) != (bz > z)) & (x < ex * (z - az) / ez + ax)
    return np.where(inside, -1, 1) * np.sqrt(nearest)


def smooth_max(a: Array, b: Array, radius: float) -> Array:
    """max(a, b) with its edge rounded."""
    h = np.maximum(radius - np.abs(a - b), 0) / radius
    return np.maximum(a, b) + h * h * radius / 4


@dataclass(frozen=True)
class Car:
    """A car of one profile; `dents` push its skin inwards by the metres they return (never more than a few cm)."""

    profile: tuple[tuple[float, float], ...]
    lift: float = 0.0  # metres of extra ground clearance and height: a tall car
    dents: tuple[Displacement, ...] = field(default=())

    @cached_property
    def length(self) -> tuple[float, float]:
        """Rearmost and foremost x."""
        return min(x for x, _ in self.profile), max(x for x, _ in self.profile)

    @cached_property
    def _tables(self) -> Array:
        """(columns, rows, 3) by x and z: profile distance, half width, cosine of the flank's slope."""
        x, z = np.meshgrid(
            (_X0 + _CELL * np.arange(_COLUMNS)).astype(np.float32),
            (_Z0 + _CELL * np.arange(_ROWS)).astype(np.float32),
            indexing="ij",
        )
        outline = _spline(self.profile)
        distance = blur(_distance_to_outline(x, z, outline), 2.0)
        width = blur(self._half_width(x, z), 2.0)
        slope_x, slope_z = np.gradient(width, _CELL)
        return np.stack([distance, width, 1 / np.sqrt(1 + slope_x**2 + slope_z**2)], axis=-1).astype(np.float32)

    def _half_width(self, x: Array, z: Array) -> Array:
        rear, front = self.length
        x = np.clip(x, rear + 0.02, front - 0.02)
        reach = np.where(x > 0, x / (front + 0.16), x / (rear - 0.14))
        plan = np.maximum(1 - np.abs(reach) ** 7, 0.02) ** 0.42
        lower = 0.055 * smoothstep(0.62, 0.16, z) ** 1.5
        crease = 0.016 * smoothstep(0.70, 0.76, z) - 0.016 * smoothstep(0.52, 0.76, z)
        shoulder = 0.030 * smoothstep(0.90, 0.985, z)
        house = 0.40 * np.maximum(z - 0.96, 0) + 0.25 * np.maximum(z - 1.25, 0) ** 2
        flare = sum(
            0.022 * smoothstep(0.56, 0.36, np.hypot(x - wheel, z - WHEEL_RADIUS)) for wheel in (WHEEL_X, -WHEEL_X)
        )
        half_width: Array = (0.895 - lower + crease - shoulder - house + flare) * plan
        return half_width

    def side_view(self, p: Array) -> tuple[Array, Array, Array]:
        """Profile distance, half width, cosine of its slope at points (n, 3); nose, tail and roof are bowed."""
        y2 = (p[:, 1] / 0.9) ** 2
        x = p[:, 0] * (1 + 0.055 * y2)
        z = p[:, 2] - self.lift * smoothstep(0.1, 0.5, p[:, 2]) + 0.05 * y2 * smoothstep(0.85, 1.3, p[:, 2])
        u = np.clip((x - _X0) / _CELL, 0, _COLUMNS - 1.001)
        v = np.clip((z - _Z0) / _CELL, 0, _ROWS - 1.001)
        i, j = u.astype(np.int32), v.astype(np.int32)
        fu, fv = (u - i)[:, None], (v - j)[:, None]
        t = self._tables
        value = (t[i, j] * (1 - fu) + t[i + 1, j] * fu) * (1 - fv) + (
            t[i, j + 1] * (1 - fu) + t[i + 1, j + 1] * fu
        ) * fv
        return value[:, 0], value[:, 1], value[:, 2]

    def skin(self, p: Array) -> Array:
        """Distance to the painted and glazed skin alone, dents included."""
        profile, width, cosine = self.side_view(p)
        d = smooth_max(profile, (np.abs(p[:, 1]) - width) * cosine, 0.10)
        for dent in self.dents:
            d = d + dent(p)
        return d

    def distance(self, p: Array) -> Array:
        """Distance (n,) to the whole car."""
        skin = self.skin(p)
        body = np.maximum(skin, self.arches(p))
        return least([body, self.wheels(p), self.mirrors(p), self.handles(p, skin)])

    @staticmethod
    def arches(p: Array) -> Array:
        """Positive inside the wheel wells."""
        wells = [ARCH_RADIUS - np.hypot(p[:, 0] - wx, p[:, 2] - WHEEL_RADIUS) for wx in (WHEEL_X, -WHEEL_X)]
        return least([np.maximum(*wells), np.abs(p[:, 1]) - 0.55])

    @staticmethod
    def wheels(p: Array) -> Array:
        """Distance to the four tyres and rims, the rims dished."""
        axle = np.where(p[:, 0] > 0, WHEEL_X, -WHEEL_X)
        r = np.hypot(p[:, 0] - axle, p[:, 2] - WHEEL_RADIUS)
        dish = 0.035 * smoothstep(0.225, 0.205, r) - 0.02 * smoothstep(0.12, 0.02, r)
        a = r - (WHEEL_RADIUS - 0.035)
        b = np.abs(np.abs(p[:, 1]) - WHEEL_Y + 0.10) - 0.07 + dish
        distance: Array = np.minimum(np.maximum(a, b), 0) + np.hypot(np.maximum(a, 0), np.maximum(b, 0)) - 0.035
        return distance

    def mirrors(self, p: Array) -> Array:
        """Distance to the two mirror housings."""
        q = np.abs(p - np.array([0.66, 0, 1.045 + self.lift], np.float32)[None] * [1, 0, 1])
        y = np.abs(p[:, 1]) - 0.985
        k = np.stack([(p[:, 0] - 0.66 + 0.25 * y) / 0.085, y / 0.125, q[:, 2] / 0.08], axis=-1)
        shell = (np.sqrt((np.abs(k) ** 3).sum(-1) ** (2 / 3) + 1e-9) - 1) * 0.075
        rod = np.hypot(p[:, 0] - 0.70, p[:, 2] - self.lift - 0.985)
        stalk = np.hypot(rod, np.maximum(np.abs(y + 0.09) - 0.09, 0)) - 0.028
        return least([shell, stalk])

    def handles(self, p: Array, skin: Array) -> Array:
        """Distance to the four door handles, bars that stand off the `skin` (its distance at each point)."""
        along = np.maximum(np.abs(p[:, 0] - np.where(p[:, 0] > -0.55, -0.12, -0.98)) - 0.085, 0)
        across = p[:, 2] - 0.845 - self.lift - 0.02 * (p[:, 0] < -0.55)
        distance: Array = np.sqrt(along**2 + across**2 + (skin - 0.012) ** 2) - 0.016
        return distance

    def normals(self, p: Array, step: float = 0.006) -> Array:
        """Outward unit normals (n, 3) by central differences."""
        gradient = np.empty_like(p)
        for axis in range(3):
            offset = np.zeros(3, np.float32)
            offset[axis] = step
            gradient[:, axis] = self.distance(p + offset) - self.distance(p - offset)
        unit: Array = gradient / (np.linalg.norm(gradient, axis=1, keepdims=True) + 1e-9)
        return unit
