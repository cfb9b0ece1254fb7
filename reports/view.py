"""What people see of the returns: plain values, made from the database's rows, shown as a table, JSON or a page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain import Label, PhotoStatus


class Standing(StrEnum):
    """The status of a return: a verdict, or why there is none. In the order that people read them."""

    DAMAGED = Label.DAMAGED.value
    UNDECIDED = Label.UNDECIDED.value
    FAILED = "failed"
    PENDING = "pending"
    OPEN = "open"
    CLEAR = Label.CLEAR.value
    EMPTY = "empty"

    @property
    def decided(self) -> bool:
        """Whether this is a verdict."""
        return self.value in {label.value for label in Label}

    @property
    def symbol(self) -> str:
        """One character that stands for it where there is no colour."""
        return _SYMBOLS[self]


_SYMBOLS = {
    Standing.DAMAGED: "✗",
    Standing.UNDECIDED: "?",
    Standing.FAILED: "!",
    Standing.PENDING: "…",
    Standing.OPEN: "…",
    Standing.CLEAR: "✓",
    Standing.EMPTY: "–",
}


@dataclass(frozen=True, slots=True)
class PhotoView:
    """One photo of a return. `heatmap` is float32 (rows, columns) over the whole photo, positive for damage.

    One that is `gone` is no longer in the store: there is no picture of it.
    """

    key: str
    etag: str
    status: PhotoStatus
    reason: str | None = None
    probability: float | None = None
    heatmap: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    width: int | None = None
    height: int | None = None
    gone: bool = False

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def refused(self) -> bool:
        """Whether the photo was not scored."""
        return self.status in (PhotoStatus.UNUSABLE, PhotoStatus.QUARANTINED)


@dataclass(frozen=True, slots=True)
class ReturnView:
    """One return. `reasons` is the verdict's own account (see `core.verdict.decide`), empty without a verdict."""

    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    standing: Standing
    score: float | None
    closed_by: str | None
    photos: tuple[PhotoView, ...]
    reasons: dict[str, Any] = field(default_factory=dict)
    decided_by: str = "model"
    decided_at: datetime | None = None
    note: str | None = None

    @property
    def photos_by_damage(self) -> list[PhotoView]:
        """Photos that need a person's eye first: most probable damage, then those not scored, then the rest by name."""
        return sorted(self.photos, key=lambda photo: (-(photo.probability or 0), not photo.refused, photo.key))

    @property
    def worst(self) -> PhotoView | None:
        """The photo most probably showing damage, None where none was scored."""
        scored = [photo for photo in self.photos if photo.probability is not None]
        return max(scored, key=lambda photo: photo.probability or 0, default=None)

    @property
    def damaged_at(self) -> float:
        """The probability from which photos made or would have made it damaged; 1 without a verdict."""
        return float(self.reasons.get("thresholds", {}).get("damaged_at", 1.0))

    @property
    def clear_below(self) -> float:
        """The probability below which photos leave it clear; 1 without a verdict."""
        return float(self.reasons.get("thresholds", {}).get("clear_below", 1.0))


@dataclass(frozen=True, slots=True)
class Totals:
    """Number of returns by standing and of photos by status, in reading order, those that occur.

    `pictures` counts the photos that can be shown; `heat_maps` tells whether any of them has one.
    """

    standings: dict[Standing, int]
    photo_statuses: dict[PhotoStatus, int]
    pictures: int
    heat_maps: bool

    @property
    def returns(self) -> int:
        """Number of returns."""
        return sum(self.standings.values())

    @property
    def photos(self) -> int:
        """Number of photos."""
        return sum(self.photo_statuses.values())


@dataclass(frozen=True, slots=True)
class Report:
    """All returns of one store, most urgent first, as they stood at `made_at`.

    Each iteration over `returns` reads them page by page, so that a report of any size needs little memory.
    """

    store: str
    model: str | None
    made_at: datetime
    totals: Totals
    returns: Iterable[ReturnView]
