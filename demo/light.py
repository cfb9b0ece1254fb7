"""Light on the ground around a car, and how much of the sun a point sees."""

import numpy as np
from body import Car
from noise import Array, blur
from surroundings import Place


class GroundLight:
    """Light on the ground around one car: its contact shadow and its shadow from the sun, on a grid."""

    _HALF, _CELL = 4.6, 0.03

    def __init__(self, car: Car, place: Place) -> None:
        self.place = place
        side = int(2 * self._HALF / self._CELL)
        x, y = np.meshgrid(*[np.linspace(-self._HALF, self._HALF, side, dtype=np.float32)] * 2, indexing="ij")
        p = np.stack([x, y, np.full_like(x, 0.002)], -1).reshape(-1, 3)
        up = np.array([0, 0, 1], np.float32)
        steps = (0.06, 0.15, 0.3, 0.55, 0.9)
        open_sky = np.minimum.reduce(
            [0.08 * (h < 0.2) + np.clip(car.distance(p + up * h) / h * 0.95, 0, 1) for h in steps]
        )
        light = np.clip(open_sky, 0.02, 1)[:, None] * place.irradiance(up[None])[0]
        if place.sun_power:
            seen = sun_visibility(car, p, place.sun_direction)
            light = light + (seen * max(place.sun_direction[2], 0))[:, None] * place.sunlight
        self._light = blur(light.reshape(side, side, 3).astype(np.float32), 1.0)

    def ground(self, x: Array, y: Array, footprint: Array) -> Array:
        """Radiance (n, 3) of the ground at (x, y)."""
        side = len(self._light)
        u = np.clip((x + self._HALF) / self._CELL, 0, side - 1.01)
        v = np.clip((y + self._HALF) / self._CELL, 0, side - 1.01)
        i, j = u.astype(np.int32), v.astype(np.int32)
        fu, fv = (u - i)[:, None], (v - j)[:, None]
        t = self._light
        light: Array = (t[i, j] * (1 - fu) + t[i + 1, j] * fu) * (1 - fv) + (
            t[i, j + 1] * (1 - fu) + t[i + 1, j + 1] * fu
        ) * fv
        return light * self.place.floor(x, y, footprint)


def sun_visibility(car: Car, p: Array, towards: Array) -> Array:
    """Share of the sun seen from each point (n,), with penumbra."""
    seen, reach = np.ones(len(p), np.float32), np.full(len(p), 0.03, np.float32)
    active = np.arange(len(p))
    for _ in range(28):
        d = car.distance(p[active] + towards * reach[active, None])
        seen[active] = np.minimum(seen[active], np.clip(14 * d / reach[active] + 0.3, 0, 1))
        reach[active] += np.clip(d, 0.02, 0.4)
        active = active[(reach[active] < 4.0) & (seen[active] > 0.01)]
        if not len(active):
            break
    return seen
