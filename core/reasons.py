"""What a verdict says of itself: the rule that decided and all that went in, as it is stored and shown.

These are the shapes of the column `verdict.reasons`. Verdicts are never changed, and an audit decides each again and
compares the bytes: a value or a name that was stored once stays as it is.
"""

from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from core.domain import AbsenceReason, ClosedBy, PhotoStatus


class Rule(StrEnum):
    """Which rule of `core.verdict.decide` gave the verdict. The values are stored."""

    DAMAGE = "enough photos reach the damage threshold"
    NOTHING_SCORED = "no photo could be scored"
    NO_VEHICLE = "no photo shows a vehicle"
    PHOTO_NOT_SCORED = "a photo could not be scored"
    INCOMPLETE = "the set is incomplete"
    TOO_FEW_PHOTOS = "there are too few photos"
    PHOTO_REUSED = "a photo was used for an earlier return"
    PHOTO_WITHOUT_VEHICLE = "a photo shows no vehicle"
    BETWEEN_THRESHOLDS = "a photo is between the clear and the damage threshold"
    CLEAR_BUT_FOR_LOSS = "photos are gone from the store"  # would be clear otherwise; the view `standing` reads it
    CLEAR = "every photo stays below the clear threshold"


class Thresholds(TypedDict):
    """The probabilities that decided, and the numbers of photos that had to reach them."""

    photos: int
    damaged_at: float
    damaged_photos: int
    clear_below: float
    suspicious_photos: int
    intact_share: float | None


class PhotoReasons(TypedDict):
    """One photo; what is absent in most photos is left out where it is absent. `likeness` is its perceptual hash."""

    key: str
    sha256: str | None
    status: PhotoStatus
    reason: str | None
    probability: float | None
    likeness: NotRequired[str]
    vehicle_distance: NotRequired[float]
    shows_vehicle: NotRequired[bool]
    view: NotRequired[str]
    counted_as: NotRequired[str]
    reused_from: NotRequired[str]
    absence: NotRequired[AbsenceReason]


class Reasons(TypedDict):
    """All that went into a verdict, so that anyone can decide again. `model` and `policy` are whole documents."""

    rule: Rule
    closed_by: ClosedBy
    missing: list[str]
    model: dict[str, str] | None
    policy: dict[str, Any]
    thresholds: Thresholds
    photos: list[PhotoReasons]
