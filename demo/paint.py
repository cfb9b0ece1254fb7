"""What the car is made of, and how each part answers light."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from body import WHEEL_RADIUS, WHEEL_X, WHEEL_Y, Car
from damage import Damage, Scrape, Scratches, Tear
from lamps import head_lamp, tail_lamp
from light import GroundLight, sun_visibility
from noise import Array, fractal, mix, smoothstep, value_noise
from parts import Parts
from surroundings import Place


@dataclass(frozen=True)
class Coat:
    """Paint: linear colour, share of metal flakes, and how dusty the car is."""

    colour: tuple[float, float, float]
    metallic: float = 0.5
    dust: float = 0.15


class Surface:
    """Shades points on one car in one place."""

    def __init__(self, car: Car, coat: Coat, place: Place, damage: tuple[Damage, ...], shade: GroundLight) -> None:
        self.car, self.coat, self.place, self.damage, self.shade = car, coat, place, damage, shade

    def radiance(self, p: Array, view: Array, footprint: Array) -> Array:
        """Light (n, 3) towards the camera from points p seen along `view`; `footprint` is metres per pixel."""
        car, skin = self.car, self.car.skin(p)
        body = np.maximum(skin, car.arches(p))
        wheel, mirror, handle = car.wheels(p), car.mirrors(p), car.handles(p, skin)
        normal = car.normals(p, 0.004)
        normal = np.where((normal * view).sum(1, keepdims=True) > 0, -normal, normal)
        other = np.minimum(mirror, handle)
        on_wheel = (wheel < body) & (wheel < other)
        well = (skin < -0.012) & ~on_wheel & (body <= other)
        colour = np.empty_like(p)
        for chosen, shader in (
            (on_wheel, self._wheel),
            (well, self._well),
            (~on_wheel & (other < body), self._fitting),
            (~on_wheel & ~well & (other >= body), self._skin),
        ):
            if chosen.any():
                colour[chosen] = shader(p[chosen], normal[chosen], view[chosen], footprint[chosen])
        return colour

    def _occlusion(self, p: Array, normal: Array) -> Array:
        reach = np.array([0.03, 0.09, 0.22], np.float32)
        open_ = [np.clip(self._free(p + normal * r) / r, 0, 1) for r in reach]
        share: Array = 0.25 + 0.75 * (0.3 * open_[0] + 0.35 * open_[1] + 0.35 * open_[2])
        return share[:, None]

    def _free(self, p: Array) -> Array:
        return np.minimum(self.car.distance(p), p[:, 2])

    def _sun(self, p: Array, normal: Array) -> Array:
        """Sunlight (n, 3) on a matt surface, with soft shadows of the car on itself."""
        if not self.place.sun_power:
            return np.zeros_like(p)
        towards = self.place.sun_direction
        facing = np.clip(normal @ towards, 0, 1)
        return (facing * sun_visibility(self.car, p + normal * 0.02, towards))[:, None] * self.place.sunlight

    def matt(self, p: Array, normal: Array) -> Array:
        """Light from a white matt surface: sky, ground and sun."""
        return self.place.irradiance(normal) * self._occlusion(p, normal) + self._sun(p, normal)

    def reflected(self, p: Array, normal: Array, view: Array, *, rough: bool = False) -> Array:
        """What a mirror at p shows: the panorama, or the ground with the car's own shadow on it."""
        out = view - 2 * (view * normal).sum(1, keepdims=True) * normal
        light = self.place.look(p, out, rough=rough)
        down = out[:, 2] < -1e-3
        if down.any():
            reach = p[down, 2] / -out[down, 2]
            hit = p[down] + out[down] * reach[:, None]
            ground = self.shade.ground(hit[:, 0], hit[:, 1], 0.01 + reach * 0.01)
            fade = np.exp(-reach / 14)[:, None]
            light[down] = mix(light[down], ground, fade)
        return light

    @staticmethod
    def fresnel(normal: Array, view: Array, base: float) -> Array:
        """Schlick's approximation, (n, 1)."""
        cosine: Array = np.clip(-(normal * view).sum(1, keepdims=True), 0, 1)
        return base + (1 - base) * (1 - cosine) ** 5

    def _varnish(self, p: Array, normal: Array, view: Array, base: Array, metallic: float) -> Array:
        """Coloured paint with flakes under a clear coat."""
        wavy = normal + 0.006 * (
            np.stack([value_noise(p[:, 0] * 45 + k * 9, p[:, 2] * 45 + p[:, 1] * 20) for k in range(3)], -1) - 0.5
        )
        wavy /= np.linalg.norm(wavy, axis=1, keepdims=True)
        occlusion = self._occlusion(p, normal)
        body = base * (self.place.irradiance(normal) * occlusion + self._sun(p, normal))
        flakes = base * self.reflected(p, normal, view, rough=True) * 1.15
        coat = self.fresnel(wavy, view, 0.045)
        shine = self.reflected(p, wavy, view) * (0.35 + 0.65 * occlusion)
        return mix(body, flakes, np.float32(metallic)) * (1 - coat) + coat * shine

    def _skin(self, p: Array, normal: Array, view: Array, footprint: Array) -> Array:
        parts = Parts(self.car, p)
        normal = self._grooved(p, normal, parts)
        colour = self._varnish(
            p, normal, view, np.broadcast_to(np.array(self.coat.colour, np.float32), p.shape), self.coat.metallic
        )
        low = smoothstep(0.65, 0.15, parts.z) * (0.3 + 0.9 * fractal(p[:, 0] * 6, p[:, 2] * 9 + p[:, 1] * 5, 4))
        dust = (self.coat.dust * (low + 0.12))[:, None]
        colour = mix(colour, self.matt(p, normal) * np.array([0.30, 0.27, 0.22]), np.clip(dust, 0, 0.6))
        colour = self._marked(p, normal, colour)
        gap = smoothstep(0.0052, 0.0025, parts.seam + 0 * footprint)[:, None]
        colour = colour * (1 - 0.93 * gap)
        for margin, shader in (
            (np.minimum(parts.cladding, 1), self._plastic),
            (parts.glass_trim, self._gloss_black),
            (np.maximum(parts.windscreen, parts.rear_glass), self._gloss_black),
            (parts.grille, self._grille),
            (parts.plate, self._plate),
            (parts.side_glass, self._glass),
            (np.maximum(parts.windscreen, parts.rear_glass) - 0.035, self._glass),
            (parts.head_lamp, partial(head_lamp, self)),
            (parts.tail_lamp, partial(tail_lamp, self)),
        ):
            inside = margin > 0
            if inside.any():
                colour[inside] = shader(p[inside], normal[inside], view[inside], margin[inside])
            colour *= 1 - 0.85 * smoothstep(0.005, 0.002, np.abs(margin))[:, None] * (margin < 0.9)[:, None]
        for tear in (d for d in self.damage if isinstance(d, Tear)):
            hole, rim = tear.holes(p)
            colour = mix(colour, self.matt(p, normal) * np.array(tear.bare), rim[:, None])
            inner = 0.004 + 0.025 * fractal(p[:, 0] * 20, p[:, 2] * 25 + p[:, 1] * 20, 3)
            colour = mix(colour, inner[:, None] * np.array([1, 0.95, 0.9]), hole[:, None])
        return colour

    def _grooved(self, p: Array, normal: Array, parts: Parts) -> Array:
        """Normals bent by panel gaps, so that their edges catch the light."""
        step = 0.002
        here = smoothstep(0.009, 0.002, parts.seam)
        near = here > 0
        if not near.any():
            return normal
        bent = normal.copy()
        for axis in range(3):
            offset = np.zeros(3, np.float32)
            offset[axis] = step
            ahead = smoothstep(0.009, 0.002, Parts(self.car, p[near] + offset).seam)
            bent[near, axis] += (ahead - here[near]) / step * 0.0022
        unit: Array = bent / np.linalg.norm(bent, axis=1, keepdims=True)
        return unit

    def _marked(self, p: Array, normal: Array, colour: Array) -> Array:
        """Scratches and scrapes over the paint."""
        marks = [d for d in self.damage if isinstance(d, (Scratches, Scrape))]
        if not marks:
            return colour
        matt = self.matt(p, normal)
        for mark in marks:
            bare, edge = mark.marks(p)
            colour = mix(colour, colour * 0.55 + 0.10 * matt, (0.6 * edge)[:, None])
            grain = 0.75 + 0.5 * fractal(p[:, 0] * 90, p[:, 2] * 90 + p[:, 1] * 60, 2)
            colour = mix(colour, matt * np.array(mark.bare) * grain[:, None], bare[:, None])
        return colour

    def _plastic(self, p: Array, normal: Array, view: Array, _: Array) -> Array:
        grain = 0.9 + 0.2 * value_noise(p[:, 0] * 300, p[:, 2] * 300 + p[:, 1] * 300)
        sheen = self.fresnel(normal, view, 0.03) * self.reflected(p, normal, view, rough=True) * 0.5
        return self.matt(p, normal) * 0.035 * grain[:, None] + sheen

    def _gloss_black(self, p: Array, normal: Array, view: Array, _: Array) -> Array:
        return self.matt(p, normal) * 0.012 + self.fresnel(normal, view, 0.04) * self.reflected(p, normal, view)

    def _plate(self, p: Array, normal: Array, view: Array, margin: Array) -> Array:
        white = np.where((margin > 0.008)[:, None], np.array([0.72, 0.72, 0.68]), np.array([0.04, 0.04, 0.04]))
        return self.matt(p, normal) * white + 0.04 * self.reflected(p, normal, view, rough=True)

    def _grille(self, p: Array, normal: Array, view: Array, margin: Array) -> Array:
        bars = smoothstep(0.55, 0.75, np.abs(np.sin(p[:, 2] * np.pi / 0.034)))
        cross = smoothstep(0.80, 0.95, np.abs(np.sin(p[:, 1] * np.pi / 0.07)))
        bar = np.maximum(bars, cross * (p[:, 2] < 0.45 + self.car.lift))[:, None]
        rim = smoothstep(0.016, 0.010, margin)[:, None]
        chrome = self.reflected(p, normal, view) * 0.65
        return mix(mix(np.float32(0.006), self._plastic(p, normal, view, margin) * 1.3, bar), chrome, rim)

    def _glass(self, p: Array, normal: Array, view: Array, _: Array) -> Array:
        """Dark glass: the world mirrored over seats, with light from the windows on the far side."""
        coat = self.fresnel(normal, view, 0.05)
        reach = np.where(np.abs(view[:, 1]) > 0.05, (np.sign(view[:, 1]) * 0.62 - p[:, 1]) / (view[:, 1] + 1e-6), 9)
        far = p + view * np.clip(reach, 0, 4)[:, None]
        seat = p + view * np.clip(reach * 0.55, 0, 2)[:, None]
        z, x = seat[:, 2] - self.car.lift, seat[:, 0]
        rests = [np.hypot((x - c) / 0.075, (z - 1.13) / 0.11) < 1 for c in (-0.30, -1.10)]
        backs = [(np.abs(x - c) < 0.12) & (z < 1.02) for c in (-0.30, -1.10)]
        blocked = np.logical_or.reduce([*rests, *backs])
        opening = (
            (far[:, 2] - self.car.lift > 1.0) & (far[:, 2] - self.car.lift < 1.36) & (np.abs(far[:, 0] + 0.5) < 1.0)
        )
        opening &= np.minimum(np.abs(far[:, 0] + 0.27), np.abs(far[:, 0] + 1.07)) > 0.04
        through = self.place.look(far, view) * 0.30 * (opening & ~blocked)[:, None]
        cabin = self.place.irradiance(normal) * (0.02 + 0.025 * blocked)[:, None]
        light: Array = (cabin + np.minimum(through, 0.5)) * (1 - coat) + coat * self.reflected(p, normal, view) * 1.4
        return light

    def _fitting(self, p: Array, normal: Array, view: Array, _: Array) -> Array:
        """Mirrors and handles, in the colour of the car; mirror feet black."""
        base = np.broadcast_to(np.array(self.coat.colour, np.float32), p.shape)
        colour = self._varnish(p, normal, view, base, self.coat.metallic)
        foot = (np.abs(p[:, 1]) > 0.84) & (p[:, 2] < 1.0 + self.car.lift) & (p[:, 0] > 0.4)
        glass = (np.abs(p[:, 1]) > 0.84) & (p[:, 0] > 0.4) & (normal[:, 0] < -0.75)
        colour[foot] = self._plastic(p[foot], normal[foot], view[foot], p[foot, 0])
        colour[glass] = self.reflected(p[glass], normal[glass], view[glass]) * 0.85
        return colour

    def _well(self, p: Array, normal: Array, *_: Array) -> Array:
        return self.matt(p, normal) * 0.012 + 0.002

    def _wheel(self, p: Array, normal: Array, view: Array, _: Array) -> Array:
        axle = np.where(p[:, 0] > 0, WHEEL_X, -WHEEL_X)
        dx, dz = p[:, 0] - axle, p[:, 2] - WHEEL_RADIUS
        r, angle = np.hypot(dx, dz), np.arctan2(dz, dx)
        outward = np.sign(p[:, 1])
        matt = self.matt(p, normal)
        groove = 1 - 0.5 * smoothstep(0.6, 0.9, np.sin(angle * 70)) * (r > 0.305)
        ring = 1 - 0.35 * smoothstep(0.5, 0.9, np.sin(r * 300)) * (r < 0.30)
        rubber = matt * (0.030 * groove * ring)[:, None] + 0.012 * self.reflected(p, normal, view, rough=True)
        spoke_phase = np.abs((angle * 5 / (2 * np.pi) + 0.25) % 1 - 0.5) * 2 * np.pi / 5 * np.maximum(r, 0.03)
        half = 0.036 - 0.05 * (r - 0.05)
        spoke = smoothstep(half + 0.004, half - 0.004, spoke_phase)
        solid = np.maximum.reduce([spoke, smoothstep(0.062, 0.056, r), smoothstep(0.196, 0.202, r)])
        tilt = np.sin(angle * 5 + np.pi / 2)
        face = normal + np.stack([-np.sin(angle) * tilt * 0.45, 0 * r, np.cos(angle) * tilt * 0.45], -1)
        face /= np.linalg.norm(face, axis=1, keepdims=True)
        alloy = 0.55 * self.reflected(p, face, view, rough=True) * 0.8 + matt * 0.22
        bolts = sum(np.hypot(dx - 0.038 * np.cos(k), dz - 0.038 * np.sin(k)) < 0.008 for k in np.arange(5) * 1.2566)
        alloy = alloy * (1 - 0.7 * np.clip(bolts, 0, 1))[:, None]
        disc = np.where(((r > 0.07) & (r < 0.15))[:, None], matt * 0.16, matt * 0.015)
        rim = mix(disc, alloy, solid[:, None])
        inside = (r < 0.218) & (np.abs(p[:, 1]) > WHEEL_Y - 0.2) & (normal[:, 1] * outward > 0.1)
        return np.where(inside[:, None], rim, rubber)
