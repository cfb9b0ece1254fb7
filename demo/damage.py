"""What goes wrong with a car: dents and crumples move its skin; scratches, scrapes and tears change its paint."""

from dataclasses import dataclass

import numpy as np
from noise import Array, Mask, fractal, smoothstep, value_noise


@dataclass(frozen=True)
class Spot:
    """A place on the skin: `face` is "left", "right", "front" or "rear"; (u, v) are x or y, and z, in metres."""

    face: str
    u: float
    v: float
    size: tuple[float, float]

    def local(self, p: Array) -> tuple[Array, Array, Mask]:
        """Metres right of and above the centre, and whether a point is on this face."""
        if self.face in ("left", "right"):
            on = p[:, 1] * (1 if self.face == "left" else -1) > 0.45
            return p[:, 0] - self.u, p[:, 2] - self.v, on
        on = p[:, 0] * (1 if self.face == "front" else -1) > 1.2
        return p[:, 1] - self.u, p[:, 2] - self.v, on

    def window(self, p: Array) -> tuple[Array, Array, Array]:
        """Local coordinates over the size, and a soft window that is 0 outside |(u, v)| = 1."""
        du, dv, on = self.local(p)
        u, v = du / self.size[0], dv / self.size[1]
        return u, v, on * smoothstep(1.0, 0.35, np.hypot(u, v))


@dataclass(frozen=True)
class Dent:
    """A pushed-in hollow with a raised rim and a crease through it."""

    at: Spot
    depth: float = 0.02
    crease: float = 0.5
    angle: float = 0.4

    def __call__(self, p: Array) -> Array:
        u, v, _ = self.at.window(p)
        on = self.at.local(p)[2]
        r2 = u * u + v * v
        hollow: Array = np.exp(-3.0 * r2) - 0.28 * np.exp(-5 * (np.sqrt(r2) - 0.95) ** 2)
        across = u * np.sin(self.angle) - v * np.cos(self.angle) + 0.15 * np.sin(3 * u)
        fold: Array = np.exp(-np.abs(across) * 9) * np.exp(-2.0 * r2)
        return (self.depth * (hollow + self.crease * fold) * on).astype(np.float32)


@dataclass(frozen=True)
class Crumple:
    """Sheet metal folded into ridges."""

    at: Spot
    depth: float = 0.035
    folds: float = 7.0

    def __call__(self, p: Array) -> Array:
        u, v, window = self.at.window(p)
        near = window > 0
        result = np.zeros(len(p), np.float32)
        if not near.any():
            return result
        q = p[near]
        a = (q[:, 0] + 0.6 * q[:, 1] + 0.3 * q[:, 2]) * self.folds
        b = (q[:, 2] - 0.35 * q[:, 0] + 0.5 * q[:, 1]) * self.folds
        bend = fractal(a * 0.5 + 31, b * 0.5 + 7, 2) * 2.2
        ridge = 1 - np.abs(2 * value_noise(a + bend, b * 0.7 + bend) - 1)
        finer = 1 - np.abs(2 * value_noise(a * 2.3 + 11, b * 1.9 + bend) - 1)
        hollow = 0.9 * np.exp(-1.5 * (u[near] ** 2 + v[near] ** 2))
        result[near] = self.depth * window[near] * (hollow + 0.9 * ridge + 0.35 * finer - 0.45)
        return result


@dataclass(frozen=True)
class Scratches:
    """Long thin strokes; `bare` is what shows under the clear coat (primer, plastic or metal)."""

    at: Spot
    count: int = 5
    width: float = 0.003
    slope: float = 0.15
    seed: int = 1
    bare: tuple[float, float, float] = (0.62, 0.60, 0.57)

    def marks(self, p: Array) -> tuple[Array, Array]:
        """Share of bare ground (n,) and share of a dark or bright edge (n,) around it."""
        du, dv, on = self.at.local(p)
        random = np.random.default_rng(self.seed)
        bare, edge = np.zeros(len(p), np.float32), np.zeros(len(p), np.float32)
        half_u, half_v = self.at.size
        for stroke in range(self.count):
            offset = random.uniform(-1, 1) * half_v
            start, end = np.sort(random.uniform(-1, 1, 2)) * half_u
            start, end = min(start, -0.15 * half_u), max(end, 0.25 * half_u)
            slope, bow = self.slope + random.normal(0, 0.03), random.normal(0, 0.03) / half_u
            path = offset + slope * du + bow * du * du + 0.010 * (fractal(du * 7, du * 0 + stroke * 7.7, 3) - 0.5)
            width = self.width * random.uniform(0.5, 1.3) * (0.35 + 0.9 * fractal(du * 25, du * 0 + 3.1 * stroke, 3))
            taper = smoothstep(start, start + 0.05, du) * smoothstep(end, end - 0.12, du)
            distance = np.abs(dv - path) / np.maximum(width * taper, 1e-5)
            broken = smoothstep(0.22, 0.42, fractal(du * 60, du * 0 + 9.3 * stroke, 3))
            bare = np.maximum(bare, smoothstep(1.2, 0.7, distance) * (0.35 + 0.65 * broken) * (taper > 0.02))
            edge = np.maximum(edge, smoothstep(2.8, 1.2, distance) * (taper > 0.02))
        return bare * on, edge * on


@dataclass(frozen=True)
class Scrape:
    """A rubbed area: many streaks along one direction, down to primer in places."""

    at: Spot
    slope: float = 0.08
    seed: int = 3
    amount: float = 0.55
    bare: tuple[float, float, float] = (0.66, 0.65, 0.62)

    def marks(self, p: Array) -> tuple[Array, Array]:
        du, dv, _ = self.at.local(p)
        _, _, window = self.at.window(p)
        across = dv - self.slope * du + 0.02 * (fractal(du * 4, du * 0 + self.seed, 2) - 0.5)
        broad = fractal(du * 3.0 + self.seed, across * 55, 3)
        fine = fractal(du * 7.0 + 5 * self.seed, across * 260, 3)
        blotch = fractal(du * 14 + self.seed, dv * 22, 4)
        strength = window * (0.45 * broad + 0.40 * fine + 0.30 * blotch)
        limit = 0.72 - 0.38 * self.amount
        return smoothstep(limit, limit + 0.07, strength), smoothstep(limit - 0.10, limit, strength)


@dataclass(frozen=True)
class Tear:
    """A hole with ragged edges: darkness behind, bare material at the rim."""

    at: Spot
    seed: int = 5
    bare: tuple[float, float, float] = (0.30, 0.29, 0.28)

    def holes(self, p: Array) -> tuple[Array, Array]:
        """Share of hole (n,) and of torn rim (n,)."""
        du, dv, on = self.at.local(p)
        u, v = du / self.at.size[0], dv / self.at.size[1]
        ragged = np.hypot(u, v) + 0.9 * (fractal(du * 13 + self.seed, dv * 17, 4) - 0.5)
        return smoothstep(0.86, 0.83, ragged) * on, smoothstep(1.02, 0.94, ragged) * on


@dataclass(frozen=True)
class BrokenLamp:
    """The cover of one lamp cracked; with `missing` > 0 that share of its shards is gone."""

    front: bool
    left: bool
    missing: float = 0.3
    seed: int = 2


Mark = Scratches | Scrape
Damage = Dent | Crumple | Scratches | Scrape | Tear | BrokenLamp
