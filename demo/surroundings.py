"""Where a photo is taken: sky, buildings, trees and parked cars on a cylinder around the car, and the ground.

The same panorama is the backdrop, the light, and what the paint reflects.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from noise import Array, blur, fractal, mix, smoothstep, value_noise
from numpy.typing import NDArray

_COLUMNS, _ROWS = 2048, 640
RADIUS = 15.0
_BRICK = np.array([[0.42, 0.22, 0.16], [0.55, 0.50, 0.43], [0.36, 0.35, 0.34], [0.62, 0.58, 0.52], [0.30, 0.24, 0.20]])
_PAINTS = np.array([[0.5, 0.5, 0.52], [0.05, 0.05, 0.06], [0.6, 0.6, 0.6], [0.30, 0.04, 0.04], [0.05, 0.10, 0.25]])


@dataclass(frozen=True)
class Place:
    """One setting. `sun` is (azimuth, elevation) in degrees; `sun_power` 0 is an overcast day."""

    seed: int
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    clouds: float
    sun: tuple[float, float]
    sun_power: float
    sun_colour: tuple[float, float, float] = (1.0, 0.93, 0.82)
    built: float = 0.6  # share of the skyline that is buildings, the rest trees
    ceiling: bool = False  # a parking garage with strip lights
    ground: str = "asphalt"  # or "concrete", "paving"
    ground_tint: tuple[float, float, float] = (0.155, 0.155, 0.16)
    bay_lines: bool = False  # painted lines beside the car
    warmth: float = 0.0

    @property
    def sun_direction(self) -> Array:
        azimuth, elevation = np.radians(self.sun)
        return _direction(azimuth, elevation).astype(np.float32)

    @cached_property
    def panorama(self) -> Array:
        """(azimuths, elevations, RGB) linear radiance over azimuth [0, 360) and elevation [0, 90] degrees."""
        azimuth = np.linspace(0, 2 * np.pi, _COLUMNS, endpoint=False, dtype=np.float32)[:, None]
        elevation = (np.linspace(0, 1, _ROWS, dtype=np.float32) ** 1.6 * np.pi / 2)[None, :]
        azimuth, elevation = np.broadcast_arrays(azimuth, elevation)
        image = self._garage(azimuth, elevation) if self.ceiling else self._sky(azimuth, elevation)
        random = np.random.default_rng(self.seed)
        if not self.ceiling:
            self._skyline(image, azimuth, elevation, random)
        self._parked_cars(image, azimuth, elevation, random)
        return image.astype(np.float32)

    def _sky(self, azimuth: Array, elevation: Array) -> Array:
        height = np.sin(elevation)[..., None]
        image = mix(np.array(self.horizon), np.array(self.zenith), 1 - np.exp(-3.5 * height))
        flat = 1 / (np.sin(elevation) + 0.12)
        u, v = np.cos(azimuth) * flat, np.sin(azimuth) * flat
        cloud = smoothstep(
            0.62 - 0.32 * self.clouds, 0.86 - 0.2 * self.clouds, fractal(u * 0.9 + self.seed, v * 0.9, 6)
        )
        shade = 0.75 + 0.5 * fractal(u * 1.7 + 9, v * 1.7, 4)
        bright = np.array([1.0, 0.98, 0.96]) * (0.9 + 0.5 * self.clouds)
        image = mix(image, bright * shade[..., None], cloud[..., None])
        to_sun = self.sun_direction
        flat = np.cos(elevation)
        cosine = np.cos(azimuth) * flat * to_sun[0] + np.sin(azimuth) * flat * to_sun[1] + np.sin(elevation) * to_sun[2]
        glow = np.exp((cosine - 1) * 350) * 25 + np.exp((cosine - 1) * 18) * 0.7
        lit: Array = image + (glow * self.sun_power)[..., None] * np.array(self.sun_colour)
        return lit

    def _garage(self, azimuth: Array, elevation: Array) -> Array:
        reach = np.minimum(2.6 / np.tan(np.maximum(elevation, 1e-3)), 60)
        x, y = reach * np.cos(azimuth), reach * np.sin(azimuth)
        concrete = 0.17 + 0.08 * fractal(x * 1.5, y * 1.5, 5) - 0.06 * (np.abs((x + 1) % 5 - 2.5) < 0.25)
        near = np.exp(-reach / 22)
        tube = smoothstep(0.16, 0.10, np.abs((y + 1.1) % 4.2 - 2.1)) * smoothstep(0.95, 0.9, np.abs(x % 2.6 - 1.3))
        glow = np.exp(-np.abs((y + 1.1) % 4.2 - 2.1) / 0.5) * 0.35
        ceiling = (concrete + glow)[..., None] * near[..., None] * np.array([0.95, 1.0, 0.93])
        ceiling = ceiling + (tube * near * 9)[..., None] * np.array([0.95, 1.0, 0.92])
        height = _height(elevation)
        wall = 0.30 + 0.12 * fractal(azimuth * 12, height * 1.2, 4)
        pillar = np.abs(np.sin(azimuth * 9)) > 0.93
        wall = np.where(pillar, wall * 1.4, wall * 0.55)[..., None] * np.array([1, 0.98, 0.93])
        stripe = (pillar & (height > 0.4) & (height < 1.1))[..., None]
        wall = np.where(stripe, np.array([0.55, 0.40, 0.05]), wall)
        return np.where((height < 2.6)[..., None], wall, ceiling)

    def _skyline(self, image: Array, azimuth: Array, elevation: Array, random: np.random.Generator) -> None:
        light = 0.75 + 0.35 * self.sun_power
        height = _height(elevation)
        column = 0
        while column < _COLUMNS:
            width = int(random.integers(90, 260))
            strip = slice(column, min(column + width, _COLUMNS))
            if random.random() < self.built:
                self._building(image[strip], height[strip], random, light)
            column += width + int(random.integers(0, 60))
        for _ in range(int(26 * (1.25 - self.built))):
            self._tree(image, azimuth, height, random, light)
        hedge = (0.75 + 0.5 * fractal(azimuth * 30, height * 3, 4)) * (
            height < 0.9 + 0.35 * fractal(azimuth * 25, height * 0, 3)
        )
        leaf = (0.25 + 1.0 * fractal(azimuth * 220, height * 14, 3))[..., None] * np.array([0.09, 0.13, 0.05]) * light
        green = (hedge > 0.1) & (fractal(azimuth * 3 + self.seed, height * 0, 2) > 0.45)
        image[green] = leaf[green]

    @staticmethod
    def _building(strip: Array, height: Array, random: np.random.Generator, light: float) -> None:
        top = random.uniform(2.8, 9.5)
        wall = _BRICK[random.integers(len(_BRICK))] * random.uniform(0.7, 1.15) * light
        across = np.broadcast_to(np.arange(strip.shape[0], dtype=np.float32)[:, None], height.shape)
        grain = (0.8 + 0.4 * fractal(across * 0.15, height * 6, 4))[..., None]
        bay, storey = random.uniform(20, 42), random.uniform(1.9, 2.8)
        in_bay = np.abs(across % bay / bay - 0.5) < random.uniform(0.2, 0.33)
        in_storey = np.abs(height % storey / storey - 0.55) < 0.28
        pane = value_noise(np.floor(across / bay) * 3.7, np.floor(height / storey) * 2.3)[..., None]
        glass = mix(np.array([0.03, 0.04, 0.05]), np.array([0.55, 0.62, 0.7]) * light, pane**2)
        face = np.where((in_bay & in_storey)[..., None], glass, wall * grain)
        below = height < top
        strip[below] = face[below]

    @staticmethod
    def _tree(image: Array, azimuth: Array, height: Array, random: np.random.Generator, light: float) -> None:
        centre, crown, radius = random.uniform(0, 2 * np.pi), random.uniform(2.2, 5.0), random.uniform(1.0, 2.6)
        hue = np.array([0.10, 0.145, 0.045]) * random.uniform(0.7, 1.5) * np.array([random.uniform(0.8, 1.6), 1, 1])
        columns = _columns_near(centre, 1.5 * radius)
        azimuth, height, part = azimuth[columns], height[columns], image[columns]
        across = _metres_from(centre, azimuth)
        distance = np.hypot(across / radius, (height - crown) / (radius * 0.9))
        ragged = distance + 0.75 * (fractal(azimuth * 90, height * 5, 5) - 0.5)
        shade = 0.35 + 0.9 * fractal(azimuth * 260, height * 15, 3) - 0.25 * (crown - height) / radius
        leaves = np.clip(shade, 0.15, 2)[..., None] * hue * light
        trunk = (np.abs(across) < 0.13) & (height < crown)
        part[trunk] = np.array([0.07, 0.055, 0.04]) * light
        part[ragged < 0.95] = leaves[ragged < 0.95]
        image[columns] = part

    def _parked_cars(self, image: Array, azimuth: Array, elevation: Array, random: np.random.Generator) -> None:
        light = 0.5 if self.ceiling else 0.8
        angle = random.uniform(0, 0.4)
        while angle < 2 * np.pi - 0.2:
            half = random.uniform(0.9, 2.1)
            paint = _PAINTS[random.integers(len(_PAINTS))] * light
            columns = _columns_near(angle, half + 0.4)
            across, height = _metres_from(angle, azimuth[columns]), _height(elevation[columns])
            part = image[columns]
            body = np.abs(across / half) ** 5 + np.abs((height - 0.52) / 0.42) ** 4 < 1
            cabin = (np.abs(across / (half * 0.62)) ** 3 + np.abs((height - 0.95) / 0.5) ** 3 < 1) & (height > 0.6)
            shine = (0.5 + 1.1 * smoothstep(0.3, 1.0, height))[..., None]
            part[cabin] = np.array([0.03, 0.035, 0.04]) + 0.10 * shine[cabin] * light
            part[body] = (paint * shine)[body]
            part[cabin & (height > 1.33)] = paint * 1.3
            for wheel in (-0.6, 0.6):
                part[np.hypot(across - wheel * half, height - 0.26) < 0.3] = 0.02
            image[columns] = part
            angle += (2 * half + random.uniform(0.3, 5.0)) / RADIUS

    @cached_property
    def soft(self) -> Array:
        """The panorama through a rough surface: (128, 40, RGB)."""
        small = self.panorama.reshape(128, _COLUMNS // 128, 40, _ROWS // 40, 3).mean(axis=(1, 3))
        wrapped = np.concatenate([small[-16:], np.minimum(small, 4), small[:16]])
        return blur(wrapped, 3.0)[16:-16]

    @cached_property
    def _directions(self) -> tuple[Array, Array, Array]:
        """Directions, radiance and solid angles of the whole sphere, coarse: the ground below, the panorama above."""
        azimuth = (np.arange(32) + 0.5) / 32 * 2 * np.pi
        elevation = ((np.arange(20) + 0.5) / 20) ** 1.6 * np.pi / 2
        sky = np.minimum(self.panorama, 6).reshape(32, _COLUMNS // 32, 20, _ROWS // 20, 3).mean(axis=(1, 3))
        a, e = np.meshgrid(azimuth, elevation, indexing="ij")
        upper = _direction(a, e).reshape(-1, 3)
        edges = (np.arange(21) / 20) ** 1.6 * np.pi / 2
        solid = np.broadcast_to(np.diff(np.sin(edges)) * 2 * np.pi / 32, a.shape).reshape(-1)
        return upper.astype(np.float32), sky.reshape(-1, 3).astype(np.float32), solid.astype(np.float32)

    @cached_property
    def _irradiance(self) -> Array:
        """(64 azimuths, 33 elevations from -90 to 90 degrees, RGB): see `irradiance`."""
        directions, sky, solid = self._directions
        on_ground = (np.clip(directions[:, 2], 0, 1) * solid) @ sky / np.pi
        on_ground = on_ground + self.sunlight * max(float(self.sun_direction[2]), 0) * 0.7
        azimuth, elevation = np.meshgrid(
            np.arange(64) / 64 * 2 * np.pi, np.linspace(-np.pi / 2, np.pi / 2, 33), indexing="ij"
        )
        normals = _direction(azimuth, elevation).reshape(-1, 3)
        light: Array = (np.clip(normals @ directions.T, 0, 1) * solid) @ sky / np.pi
        light = light + (1 - normals[:, 2:]) / 2 * on_ground * np.array(self.ground_tint) * 1.1
        return light.reshape(64, 33, 3).astype(np.float32)

    def irradiance(self, normals: Array) -> Array:
        """Light of sky and ground, without the sun, on surfaces: the radiance (n, 3) of matt white there."""
        azimuth = np.arctan2(normals[:, 1], normals[:, 0]) / (2 * np.pi) % 1
        elevation = np.arcsin(np.clip(normals[:, 2], -1, 1)) / np.pi + 0.5
        return sample(self._irradiance, azimuth * 64, elevation * 32)

    @cached_property
    def sunlight(self) -> Array:
        """Radiance of a white matt surface facing the sun."""
        return np.array(self.sun_colour, np.float32) * 1.9 * self.sun_power

    def look(self, origin: Array, direction: Array, *, rough: bool = False) -> Array:
        """Radiance (n, 3) seen from `origin` along `direction`, ground left out."""
        flat = np.hypot(direction[:, 0], direction[:, 1]) + 1e-6
        ux, uy = direction[:, 0] / flat, direction[:, 1] / flat
        along = origin[:, 0] * ux + origin[:, 1] * uy
        off2 = origin[:, 0] ** 2 + origin[:, 1] ** 2 - along**2
        reach = np.sqrt(np.maximum(RADIUS**2 - off2, 1)) - along
        azimuth = np.arctan2(origin[:, 1] + reach * uy, origin[:, 0] + reach * ux) / (2 * np.pi) % 1
        height = origin[:, 2] * (not self.ceiling) + reach * direction[:, 2] / flat
        elevation = (np.arctan2(np.maximum(height, 0), RADIUS) / (np.pi / 2)) ** (1 / 1.6)
        table = self.soft if rough else self.panorama
        return sample(table, azimuth * table.shape[0], elevation * (table.shape[1] - 1))

    def floor(self, x: Array, y: Array, footprint: Array) -> Array:
        """Albedo (n, 3) of the ground; detail finer than `footprint` metres fades."""
        fine, middle = np.exp(-footprint * 160), np.exp(-footprint * 30)
        tint = np.array(self.ground_tint, np.float32)
        patches = 0.82 + 0.36 * fractal(x * 0.7 + self.seed, y * 0.7, 4)
        grain = (
            1 + 0.75 * fine * (value_noise(x * 110, y * 110) - 0.5) + 0.55 * middle * (fractal(x * 23, y * 23, 3) - 0.5)
        )
        if self.ground == "paving":
            row = np.floor(y / 0.12)
            along = x + 0.12 * (row % 2)
            stone = 0.8 + 0.4 * value_noise(np.floor(along / 0.24) * 1.7, row * 2.9)
            joint = smoothstep(0.105, 0.117, np.abs(along % 0.24 - 0.12)) + smoothstep(
                0.048, 0.057, np.abs(y % 0.12 - 0.06)
            )
            grain = grain * stone * (1 - 0.55 * middle * np.minimum(joint, 1))
        elif self.ground == "concrete":
            grain = (0.5 + 0.5 * grain) * (1 - 0.4 * smoothstep(0.012, 0.004, np.abs((x + 0.7) % 2.5 - 1.25)) * middle)
        colour: Array = (patches * grain)[:, None] * tint
        if self.bay_lines:
            line = smoothstep(0.06, 0.045, np.abs(np.abs(y) - 1.42)) * smoothstep(3.2, 3.15, np.abs(x))
            worn = line * smoothstep(0.25, 0.5, fractal(x * 9, y * 9, 4))
            colour = mix(colour, np.array([0.55, 0.54, 0.50]) * grain[:, None], worn[:, None] * 0.9)
        return colour.astype(np.float32)


def _direction(azimuth: Array, elevation: Array) -> Array:
    flat = np.cos(elevation)
    return np.stack([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)], -1)


def _height(elevation: Array) -> Array:
    """Metres up the cylinder; the zenith is far, not infinitely far."""
    return np.tan(np.minimum(elevation, 1.54)) * RADIUS


def _columns_near(azimuth: float, metres: float) -> NDArray[np.intp]:
    """Indices of the panorama's columns within `metres` along the cylinder, wrapping round."""
    centre, reach = azimuth / (2 * np.pi) * _COLUMNS, metres / RADIUS / (2 * np.pi) * _COLUMNS + 2
    return np.arange(int(centre - reach), int(centre + reach)) % _COLUMNS


def _metres_from(centre: float, azimuth: Array) -> Array:
    return ((azimuth - centre + np.pi) % (2 * np.pi) - np.pi) * RADIUS


def sample(table: Array, u: Array, v: Array) -> Array:
    """Bilinear look-up of (columns, rows, channels); u wraps round, v is clamped."""
    columns, rows = table.shape[:2]
    v = np.clip(v, 0, rows - 1.001)
    i, j = np.floor(u).astype(np.int64), v.astype(np.int64)
    fu, fv = (u - i)[:, None], (v - j)[:, None]
    a, b = i % columns, (i + 1) % columns
    low, high = table[a, j] * (1 - fu) + table[b, j] * fu, table[a, j + 1] * (1 - fu) + table[b, j + 1] * fu
    blended: Array = low * (1 - fv) + high * fv
    return blended
