"""Which part of a car is where: glass, lamps, grille, plates, and the gaps between panels."""

import numpy as np
from body import Car
from noise import Array, least, smoothstep


class Parts:
    """Which part of the skin each point (n, 3) belongs to, as margins in metres: positive inside the part."""

    def __init__(self, car: Car, p: Array) -> None:
        s, w, _ = car.side_view(p)
        self.x, self.y = p[:, 0], np.abs(p[:, 1])
        self.z = p[:, 2] - car.lift * smoothstep(0.1, 0.5, p[:, 2])
        self.rear, self.front = car.length
        self.profile, self.flank = s, self.y - w
        self.on_side = self.flank - self.profile
        self.saloon = self.rear < -2.2

    @property
    def side_glass(self) -> Array:
        sill = self.z - 0.992 - 0.025 * smoothstep(0.2, -1.4, self.x)
        tail = self.x + (1.42 if self.saloon else 1.60)
        pillars = np.minimum(np.abs(self.x + 0.27) - 0.045, np.abs(self.x + 1.07) - 0.035)
        return least([sill, -self.profile - 0.075, tail, pillars, 0.62 - self.x, self.flank + 0.06])

    @property
    def glass_trim(self) -> Array:
        """Black frame around and between the side windows."""
        sill = self.z - 0.974 - 0.025 * smoothstep(0.2, -1.4, self.x)
        tail = self.x + (1.45 if self.saloon else 1.63)
        return least([sill, -self.profile - 0.055, tail, 0.70 - self.x, self.flank + 0.07])

    @property
    def windscreen(self) -> Array:
        return least([self.z - 1.015, 1.405 - self.z, self.x + 0.1, -self.flank - 0.09, 1 - self.x])

    @property
    def rear_glass(self) -> Array:
        low, high, start = (1.10, 1.36, -0.85) if self.saloon else (1.05, 1.385, -1.55)
        return least([self.z - low, high - self.z, start - self.x, -self.flank - 0.10])

    @property
    def head_lamp(self) -> Array:
        back = self.front - self.x
        low, high = 0.595 + 0.13 * back, 0.735 + 0.16 * back - 0.02 * smoothstep(0.15, 0.0, back)
        return least([self.z - low, high - self.z, 0.52 - back, self.y - 0.47 + 0.6 * (self.z - 0.66)])

    @property
    def tail_lamp(self) -> Array:
        back = self.x - self.rear
        return least([self.z - 0.79, 0.985 - self.z - 0.1 * back, 0.30 - back, self.y - 0.50])

    @property
    def grille(self) -> Array:
        upper = least([self.z - 0.565, 0.675 - self.z, 0.42 - self.y - 0.4 * (0.68 - self.z)])
        lower = least([self.z - 0.265, 0.385 - self.z, 0.66 - self.y - 0.3 * (self.z - 0.27)])
        return least([np.maximum(upper, lower), self.x - 1.6])

    @property
    def plate(self) -> Array:
        front = least([self.z - 0.43, 0.54 - self.z, 0.26 - self.y, self.x - 1.6])
        rear = least([self.z - 0.62, 0.73 - self.z, 0.26 - self.y, -self.x - 1.6])
        nearer: Array = np.maximum(front, rear)
        return nearer

    @property
    def cladding(self) -> Array:
        return 0.275 - self.z

    @property
    def seam(self) -> Array:
        """Distance to the nearest gap between panels."""
        x, y, z = self.x, self.y, self.z

        def line(distance: Array, *inside: Array) -> Array:
            outside = np.maximum.reduce([-margin for margin in inside])
            gap: Array = np.hypot(distance, np.maximum(outside, 0))
            return gap

        side = self.on_side + 0.03
        door_tail = x + 1.05 - 0.42 * np.maximum(0.74 - z, 0)
        flap = np.maximum(np.abs(x + 1.50), np.abs(z - 0.83)) - 0.075
        lines = [
            line(x - 0.80 + 0.04 * np.sin(z * 4), z - 0.30, 0.99 - z, side),
            line(x + 0.27, z - 0.30, 0.99 - z, side),
            line(door_tail, z - 0.30, 1.0 - z, side),
            line(z - 0.30, x + 0.87, 0.80 - x, side),
            np.where(side > 0, np.abs(flap), 1.0),
            line(y - 0.66 - 0.05 * (x - 1), x - 0.98, self.front - 0.12 - x, z - 0.70),
            line(x - self.front + 0.13 + 0.05 * (y / 0.7) ** 2, 0.70 - y, z - 0.66),
            line(y - 0.60, z - 0.56, 1.38 - z, self.rear + 0.6 - x),
            line(z - 0.56, 0.60 - y, self.rear + 0.6 - x),
        ]
        return least(lines)
