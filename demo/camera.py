"""Takes the photo: casts rays, focuses, exposes, adds the sensor's noise."""

from dataclasses import dataclass

import numpy as np
from body import Car
from noise import Array, Mask, blur, mix, smoothstep
from paint import Surface
from PIL import Image

_OVERSAMPLE = 1.5


@dataclass(frozen=True)
class Shot:
    """Where the camera stands, what it points at, its horizontal field of view in degrees, and its faults."""

    eye: tuple[float, float, float]
    at: tuple[float, float, float]
    view: float = 48.0
    roll: float = 0.0
    exposure: float = 1.0
    noise: float = 0.012
    out_of_focus: float = 0.0  # blur of the car itself, pixels
    portrait: bool = False


def _rays(shot: Shot, width: int, height: int) -> tuple[Array, Array, float]:
    eye, at = np.array(shot.eye, np.float32), np.array(shot.at, np.float32)
    ahead = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    c, s = np.cos(np.radians(shot.roll)), np.sin(np.radians(shot.roll))
    right, up = c * right + s * up, c * up - s * right
    half = np.tan(np.radians(shot.view) / 2)
    u = (np.arange(width) + 0.5 - width / 2) / (max(width, height) / 2) * half
    v = (height / 2 - np.arange(height) - 0.5) / (max(width, height) / 2) * half
    rays = ahead + u[None, :, None] * right + v[:, None, None] * up
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return eye, rays.reshape(-1, 3).astype(np.float32), 2 * half / max(width, height)


def _enter_box(car: Car, eye: Array, rays: Array) -> tuple[Array, Array]:
    rear, front = car.length
    low = np.array([rear - 0.08, -1.14, 0.0], np.float32)
    high = np.array([front + 0.08, 1.14, 1.58 + car.lift], np.float32)
    with np.errstate(divide="ignore"):
        a, b = (low - eye) / rays, (high - eye) / rays
    return np.maximum(np.minimum(a, b).max(1), 0), np.maximum(a, b).min(1)


def _march(car: Car, eye: Array, rays: Array) -> tuple[Array, Mask]:
    """Distance to the car along each ray, and which rays hit it."""
    start, end = _enter_box(car, eye, rays)
    reach, hit = start.copy(), np.zeros(len(rays), bool)
    active = np.flatnonzero(start < end)
    for step in range(110):
        d = car.distance(eye + rays[active] * reach[active, None])
        close = d < 0.0004 * np.maximum(reach[active], 0.5)
        hit[active[close]] = True
        reach[active] += np.where(close, 0, d * (0.8 if step < 60 else 0.6))
        active = active[~close & (reach[active] < end[active])]
        if not len(active):
            break
    return reach, hit


def photograph(surface: Surface, shot: Shot, seed: int, width: int = 640) -> Image.Image:
    """One photo, 4:3."""
    size = (width, width * 3 // 4)
    if shot.portrait:
        size = size[::-1]
    columns, rows = (int(n * _OVERSAMPLE) for n in size)
    eye, rays, pixel = _rays(shot, columns, rows)
    place, shade = surface.place, surface.shade
    reach, hit = _march(surface.car, eye, rays)
    image = np.zeros_like(rays)
    down = ~hit & (rays[:, 2] < -1e-3)
    image[~hit] = place.look(np.broadcast_to(eye, rays[~hit].shape), rays[~hit])
    to_ground = np.where(down, -eye[2] / np.where(down, rays[:, 2], -1), np.inf)
    ground_hit = eye + rays * np.where(down, np.minimum(to_ground, 1e3), 0)[:, None]
    near = down & (np.hypot(ground_hit[:, 0], ground_hit[:, 1]) < 15.0)
    image[near] = shade.ground(
        ground_hit[near, 0], ground_hit[near, 1], to_ground[near] * pixel * np.maximum(1, 0.3 / -rays[near, 2])
    )
    image[hit] = surface.radiance(eye + rays[hit] * reach[hit, None], rays[hit], reach[hit] * pixel)
    depth = np.where(hit, reach, np.where(near, to_ground, 40)).reshape(rows, columns)
    focus = float(np.median(reach[hit]))
    return _develop(
        image.reshape(rows, columns, 3), hit.reshape(rows, columns), depth, focus, shot, place.warmth, seed, size
    )


def _develop(
    image: Array, on_car: Mask, depth: Array, focus: float, shot: Shot, warmth: float, seed: int, size: tuple[int, int]
) -> Image.Image:
    """From radiance to the pixels of a phone: focus, bloom, exposure, tone, noise."""
    random = np.random.default_rng(seed)
    aperture = 3.6 * image.shape[1] / 960
    for sigma in (aperture * 0.5, aperture):
        wanted = smoothstep(0.2, 1.0, np.abs(1 - focus / depth) * sigma / aperture * 1.6) * ~on_car
        image = mix(image, blur(np.minimum(image, 8), sigma), wanted[..., None])
    image = blur(image, 0.55 + shot.out_of_focus)
    image = image + 0.04 * blur(np.maximum(image - 1.2, 0), 9)
    key = np.exp(np.log(np.percentile(image.mean(-1), 8 * np.arange(1, 12)) + 0.02).mean())
    image = image * (0.30 / key) ** 0.75 * shot.exposure
    image = image * np.array([1 + warmth, 1, 1 - warmth])
    rows, columns = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    image = image * (1 - 0.16 * (x * x + y * y))[..., None]
    image = image * (2.3 * image + 0.05) / (image * (2.2 * image + 0.62) + 0.16)
    image = np.clip(image, 0, 1) ** (1 / 2.0)
    picture = Image.fromarray((image * 255 + 0.5).astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(picture, np.float32) / 255
    grain = blur(random.normal(0, 1, pixels.shape).astype(np.float32), 0.6) * 1.6
    luma = random.normal(0, 1, (*pixels.shape[:2], 1))
    pixels = pixels + shot.noise * (0.5 * grain + 0.7 * luma) * (1.2 - 0.7 * pixels)
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
