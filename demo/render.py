"""Renders the sample returns of `make demo`: `python demo/render.py [--width 640] [--only HB-204]`.

No photo of anyone's car may be shipped, so these are drawn from scratch: a car as a signed-distance field, ray-marched
in NumPy, that mirrors its surroundings. Everything is seeded; the same script gives the same pictures.
"""

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from body import HATCHBACK, SALOON, Car
from camera import Shot, photograph
from damage import BrokenLamp, Crumple, Damage, Dent, Scrape, Scratches, Spot, Tear
from light import GroundLight
from paint import Coat, Surface
from PIL import Image
from surroundings import Place

MAX_BYTES = 36_000

SUNNY = Place(seed=3, zenith=(0.16, 0.30, 0.62), horizon=(0.75, 0.82, 0.92), clouds=0.45, sun=(-60, 48), sun_power=1.0)
NOON = replace(SUNNY, seed=21, sun=(115, 58), built=0.2, ground_tint=(0.24, 0.235, 0.22))
OVERCAST = Place(
    seed=8, zenith=(0.62, 0.66, 0.72), horizon=(0.85, 0.87, 0.9), clouds=0.95, sun=(40, 40), sun_power=0.0,
    ground="paving", ground_tint=(0.33, 0.31, 0.28),
)  # fmt: skip
STREET = replace(OVERCAST, seed=14, built=0.85, ground="asphalt", ground_tint=(0.19, 0.19, 0.195), bay_lines=True)
GARAGE = Place(
    seed=5, zenith=(0, 0, 0), horizon=(0, 0, 0), clouds=0, sun=(0, 60), sun_power=0.0, ceiling=True,
    ground="concrete", ground_tint=(0.36, 0.36, 0.35),
)  # fmt: skip
EVENING = Place(
    seed=11, zenith=(0.20, 0.26, 0.42), horizon=(1.0, 0.66, 0.42), clouds=0.35, sun=(-125, 20), sun_power=0.8,
    sun_colour=(1, 0.66, 0.38), warmth=0.03, built=0.4, ground_tint=(0.2, 0.2, 0.2),
)  # fmt: skip

SILVER, RED, WHITE = (
    Coat((0.42, 0.43, 0.45), 0.65),
    Coat((0.30, 0.018, 0.018), 0.35),
    Coat((0.74, 0.74, 0.73), 0.0, 0.10),
)
BLUE, BLACK, GREEN = (
    Coat((0.02, 0.075, 0.26), 0.5),
    Coat((0.012, 0.012, 0.014), 0.25, 0.06),
    Coat((0.045, 0.11, 0.085), 0.5),
)


@dataclass(frozen=True)
class Return:
    """One sample return: the car as it came back, where it stood, and the photos taken."""

    fleet: str
    vehicle: str
    moment: str
    car: Car
    coat: Coat
    place: Place
    damage: tuple[Damage, ...]
    shots: tuple[Shot, ...]

    @property
    def folder(self) -> Path:
        return Path(self.fleet) / self.vehicle / self.moment


def _dented(
    profile: tuple[tuple[float, float], ...], *damage: Damage, lift: float = 0.0
) -> tuple[Car, tuple[Damage, ...]]:
    return Car(profile, lift, tuple(d for d in damage if isinstance(d, Dent | Crumple))), damage


def sample_returns() -> Iterator[Return]:
    """Six returns, 24 photos: three came back damaged."""
    car, damage = _dented(
        HATCHBACK,
        Dent(Spot("right", -0.62, 0.60, (0.34, 0.22)), 0.055, 0.7, 0.5),
        Crumple(Spot("right", -0.42, 0.56, (0.42, 0.26)), 0.035, 6.0),
        Scratches(Spot("right", -0.25, 0.64, (0.62, 0.07)), 7, 0.0035, 0.10, seed=4),
        Scrape(Spot("right", -0.55, 0.52, (0.40, 0.10)), 0.10, seed=5, amount=0.6, bare=(0.27, 0.26, 0.25)),
    )
    yield Return("harbour", "HB-204", "2026-11-20-0815", car, SILVER, SUNNY, damage, (
        Shot((0.4, -5.6, 1.5), (-0.1, 0, 0.68), 46),
        Shot((-0.1, -2.5, 1.25), (-0.5, -0.8, 0.62), 44),
        Shot((0.35, -1.75, 0.95), (-0.45, -0.85, 0.58), 42, roll=3),
        Shot((4.1, 3.4, 1.55), (0.35, 0, 0.66), 42),
    ))  # fmt: skip
    yield Return("harbour", "HB-117", "2026-11-20-0940", Car(HATCHBACK), RED, NOON, (), (
        Shot((4.0, 3.3, 1.6), (0.3, 0, 0.68), 44),
        Shot((0.1, 5.5, 1.45), (0.0, 0, 0.66), 47),
        Shot((-4.0, -3.0, 1.6), (-0.4, 0, 0.7), 44),
        Shot((2.7, 3.0, 1.3), (0.9, 0.6, 0.62), 44),
    ))  # fmt: skip
    car, damage = _dented(
        HATCHBACK,
        Crumple(Spot("front", -0.66, 0.56, (0.46, 0.36)), 0.085, 5.5),
        Dent(Spot("front", -0.55, 0.74, (0.36, 0.20)), 0.06, 0.8, 1.2),
        BrokenLamp(front=True, left=False, missing=0.45),
        Scrape(Spot("front", -0.60, 0.44, (0.40, 0.16)), 0.05, seed=8, amount=0.7, bare=(0.16, 0.16, 0.16)),
        Tear(Spot("front", -0.60, 0.36, (0.20, 0.07))),
        lift=0.06,
    )
    yield Return("harbour", "HB-311", "2026-11-20-1105", car, WHITE, OVERCAST, damage, (
        Shot((4.2, -2.9, 1.5), (0.5, 0, 0.66), 42),
        Shot((3.3, -1.8, 1.1), (1.8, -0.6, 0.62), 38),
        Shot((2.75, -1.75, 0.95), (1.9, -0.68, 0.64), 34, roll=-2),
        Shot((-4.3, 3.1, 1.6), (-0.5, 0, 0.7), 44),
    ))  # fmt: skip
    yield Return("airport", "AP-052", "2026-11-20-1220", Car(SALOON), BLUE, STREET, (), (
        Shot((4.4, -3.4, 1.55), (0.35, 0, 0.64), 43),
        Shot((-0.2, -5.9, 1.45), (-0.1, 0, 0.64), 47),
        Shot((-4.5, 3.1, 1.6), (-0.5, 0, 0.68), 43),
        Shot((3.9, 0.4, 1.25), (1.5, 0.0, 0.62), 46),
    ))  # fmt: skip
    car, damage = _dented(
        SALOON,
        Crumple(Spot("left", -1.55, 0.64, (0.46, 0.30)), 0.05, 5.0),
        Dent(Spot("left", -1.75, 0.60, (0.26, 0.22)), 0.06, 0.8, 2.2),
        Scrape(Spot("left", -1.25, 0.60, (0.75, 0.16)), 0.06, seed=12, amount=0.65),
        Scratches(Spot("left", -0.6, 0.66, (0.95, 0.06)), 8, 0.004, -0.03, seed=9),
    )
    yield Return("airport", "AP-077", "2026-11-20-1345", car, BLACK, GARAGE, damage, (
        Shot((-0.4, 5.3, 1.45), (-0.3, 0, 0.64), 48),
        Shot((-1.5, 2.5, 1.2), (-1.4, 0.8, 0.62), 44),
        Shot((-0.9, 1.9, 0.95), (-1.45, 0.85, 0.60), 42, roll=-3),
        Shot((4.4, -3.0, 1.5), (0.5, 0, 0.64), 43),
    ))  # fmt: skip
    yield Return("airport", "AP-090", "2026-11-20-1710", Car(HATCHBACK, 0.06), GREEN, EVENING, (), (
        Shot((4.1, -3.3, 1.6), (0.3, 0, 0.7), 44),
        Shot((0.2, -5.6, 1.5), (0.0, 0, 0.7), 47),
        Shot((-4.2, -2.6, 1.55), (-0.5, 0, 0.7), 43),
        Shot((2.8, -2.7, 1.25), (1.1, -0.5, 0.62), 42),
    ))  # fmt: skip


def jpeg(photo: Image.Image) -> bytes:
    """The photo as a JPEG of at most MAX_BYTES."""
    for quality in range(84, 40, -4):
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "returns")
    parser.add_argument("--width", type=int, default=640, help="pixels of a photo's longer side")
    parser.add_argument("--only", default="", help="a vehicle, or a vehicle and a photo: HB-204, HB-204/03")
    options = parser.parse_args()
    for number, sample in enumerate(sample_returns()):
        chosen = [n for n in range(1, len(sample.shots) + 1) if f"{sample.vehicle}/{n:02}".startswith(options.only)]
        if not chosen:
            continue
        folder = options.out / sample.folder
        folder.mkdir(parents=True, exist_ok=True)
        light = GroundLight(sample.car, sample.place)
        surface = Surface(sample.car, sample.coat, sample.place, sample.damage, light)
        for index in chosen:
            photo = photograph(surface, sample.shots[index - 1], 100 * number + index, options.width)
            path = folder / f"{index:02}.jpg"
            path.write_bytes(jpeg(photo))
            print(f"{path}  {path.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main()
