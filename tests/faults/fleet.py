"""Returns to upload: small photos whose probability of damage follows from their colour, and what was uploaded when."""

import hashlib
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SIDE = 128
# Red minus green, in grey levels: a clear photo, one that nobody can tell, a damaged one.
CLEAR, UNCERTAIN, DAMAGED = -30, 5, 40
# So red that a device with a fault in its native code ends the process (see `classifier.small_device`).
DEADLY = 115
_REDNESS = (CLEAR, CLEAR, CLEAR, CLEAR, UNCERTAIN, DAMAGED)


def make_photo(rng: random.Random, redness: int | None = None) -> bytes:
    """A JPEG or PNG of grey noise that is `redness` levels redder than green, in focus and well lit."""
    level = redness if redness is not None else rng.choice(_REDNESS)
    brightest = 255 - max(level, 55)
    pixels = np.random.default_rng(rng.getrandbits(32)).integers(40, brightest, (SIDE, SIDE, 1)).repeat(3, axis=2)
    pixels[..., 0] += level
    target = io.BytesIO()
    image = Image.fromarray(pixels.astype(np.uint8))
    if rng.random() < 0.2:
        image.save(target, "PNG")
    else:
        image.save(target, "JPEG", quality=90)
    return target.getvalue()


@dataclass
class Return:
    """One set: its folder, its photos by name, and whether a manifest or a marker closes it."""

    set_key: str
    photos: dict[str, bytes]
    has_manifest: bool

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """All objects by key, what closes the set last."""
        for name, data in self.photos.items():
            yield self.set_key + name, data
        yield self.closing()

    def closing(self) -> tuple[str, bytes]:
        """The manifest or the marker."""
        if not self.has_manifest:
            return f"{self.set_key}_COMPLETE", b""
        entries = [
            {"key": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.photos.items()
        ]
        return f"{self.set_key}_manifest.json", json.dumps({"photos": entries}).encode()


def make_returns(rng: random.Random, sets: int, *, photos: int = 3, manifests: float = 0.34) -> list[Return]:
    """Returns of several fleets and vehicles; that share of them with a manifest, the others with a marker."""
    made = []
    for number in range(sets):
        pictures = {f"{index}.jpg": make_photo(rng) for index in range(photos)}
        set_key = f"returns/{rng.choice(('airport', 'harbour'))}/V-{number % 40:03}/2026-11-{number:03}/"
        made.append(Return(set_key, pictures, rng.random() < manifests))
    return made


@dataclass
class Ledger:
    """What the checker must be told: how often each set changed after it was first closed, and special photos.

    `refused` maps keys to the status and reason that are expected instead of a probability, `vanished` the keys of
    objects that were taken away to what they held.
    """

    changes: dict[str, int] = field(default_factory=dict)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    vanished: dict[str, bytes] = field(default_factory=dict)
