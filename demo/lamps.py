"""Lamps: reflectors and ribs under a clear cover, whole or broken."""

from typing import TYPE_CHECKING

import numpy as np
from damage import BrokenLamp
from noise import Array, Mask, cells, fractal, mix, smoothstep

if TYPE_CHECKING:
    from paint import Surface


def _broken(surface: "Surface", p: Array, *, front: bool) -> list[tuple[BrokenLamp, Mask]]:
    lamps = [d for d in surface.damage if isinstance(d, BrokenLamp) and d.front == front]
    return [(lamp, (p[:, 1] > 0) == lamp.left) for lamp in lamps]


def _lamp(surface: "Surface", p: Array, normal: Array, view: Array, inner: Array, *, front: bool) -> Array:
    """`inner` under a clear cover, whole or cracked."""
    colour = inner
    cover = normal
    shards: list[tuple[Mask, Mask, Array]] = []
    for lamp, here in _broken(surface, p, front=front):
        a = p[:, 0] * 7 + p[:, 1] * 9 + lamp.seed
        border, shard = cells(
            a + 1.6 * fractal(a * 0.8, p[:, 2] * 9, 3), p[:, 2] * 13 + 0.5 * a + 1.2 * fractal(a, p[:, 2] * 15, 3)
        )
        gone = here & (shard < lamp.missing)
        tilt = np.stack([np.sin(shard * 40), np.cos(shard * 57), np.sin(shard * 91)], -1) * 0.22 * here[:, None]
        cover = (normal + tilt) / np.linalg.norm(normal + tilt, axis=1, keepdims=True)
        shards.append((here & ~gone, gone, border))
    coat = surface.fresnel(cover, view, 0.06)
    colour = colour * (1 - coat) + coat * surface.reflected(p, cover, view) * 1.2
    for whole, gone, border in shards:
        crack = smoothstep(0.045, 0.012, border) * whole
        colour = mix(colour, surface.matt(p, normal) * 0.85, (0.85 * crack)[:, None])
        hollow = 0.02 + 0.10 * fractal(p[:, 1] * 40 + p[:, 0] * 30, p[:, 2] * 40, 3)
        colour = np.where(gone[:, None], hollow[:, None] * np.array([1, 0.97, 0.9]), colour)
        colour = mix(colour, surface.matt(p, normal) * 0.9, (smoothstep(0.05, 0.015, border) * gone * 0.8)[:, None])
    return colour


def head_lamp(surface: "Surface", p: Array, normal: Array, view: Array, margin: Array) -> Array:
    lift = surface.car.lift
    back = surface.car.length[1] - p[:, 0]
    inner = surface.matt(p, normal) * 0.05
    bowl_normal = normal.copy()
    for depth, radius in ((0.10, 0.062), (0.27, 0.052)):
        centre_z = 0.665 + 0.145 * depth + lift
        du, dv = (back - depth) / 0.75, p[:, 2] - centre_z
        r = np.hypot(du, dv) / radius
        bowl = r < 1
        bowl_normal[bowl] += np.stack([0 * du, -du * np.sign(p[:, 1]), dv], -1)[bowl] / radius * -1.1
        bowl_normal /= np.linalg.norm(bowl_normal, axis=1, keepdims=True)
        chrome = surface.reflected(p, bowl_normal, view) * 0.8 + 0.05
        inner = np.where(bowl[:, None], chrome, inner)
        inner = np.where(
            (r < 0.45)[:, None],
            np.array([0.30, 0.33, 0.36]) * surface.matt(p, normal) + 0.25 * smoothstep(0.45, 0.1, r)[:, None],
            inner,
        )
        inner = inner * (1 - 0.7 * smoothstep(0.10, 0.0, np.abs(r - 1.03)))[:, None]
    signal = (back > 0.38) & (margin > 0.012)
    ribs = (0.30 + 0.12 * np.sin(back * 420))[:, None]
    inner = np.where(signal[:, None], ribs * np.array([1.0, 0.85, 0.7]) * surface.matt(p, normal), inner)
    rim = (margin < 0.012)[:, None]
    inner = np.where(rim, surface.matt(p, normal) * 0.25, inner)
    return _lamp(surface, p, normal, view, inner, front=True)


def tail_lamp(surface: "Surface", p: Array, normal: Array, view: Array, margin: Array) -> Array:
    z = p[:, 2] - surface.car.lift
    ribs = 0.75 + 0.35 * np.sin(z * 420) * np.sin((p[:, 1] + p[:, 0]) * 420)
    clear = (z > 0.86) & (z < 0.90)
    amber = (z >= 0.90) & (z < 0.925)
    tint = np.where(clear[:, None], np.array([0.55, 0.52, 0.50]), np.array([0.45, 0.012, 0.012]))
    tint = np.where(amber[:, None], np.array([0.55, 0.02, 0.02]), tint)
    inner = surface.matt(p, normal) * tint * ribs[:, None] + tint * 0.35 * surface.reflected(
        p, normal, view, rough=True
    )
    inner = inner * (0.35 + 0.65 * smoothstep(0.0, 0.02, margin))[:, None]
    return _lamp(surface, p, normal, view, inner, front=False)
