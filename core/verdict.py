"""From photos to a verdict: a pure function of stored rows and a policy. Recomputing gives the same bytes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.canonical import sha256_of
from core.domain import AbsenceReason, ClosedBy, Label, ModelIdentity, PhotoStatus
from core.errors import Refusal
from core.phash_bits import differing_bits
from core.policy import Policy, ViewRule

# The rule of a set that would be clear, had no photo vanished: the view `standing` knows it by these words.
CLEAR_BUT_FOR_LOSS = "photos are gone from the store"


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What is known of one live photo of a set. `probability` of damage is there exactly when `status` is OK.

    `likeness` is the photo's perceptual hash (`core.phash_bits`), `vehicle_distance` how far its features lie
    from those of vehicles (`core.model.vehicle`), `reused_from` the key of an earlier set that holds the same photo.
    `absence` is why it is no longer in the store; what is known of it counts all the same.
    """

    key: str
    status: PhotoStatus
    content_sha256: str | None = None
    reason: str | None = None
    probability: float | None = None
    likeness: str | None = None
    vehicle_distance: float | None = None
    reused_from: str | None = None
    absence: AbsenceReason | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict before it is stored. `reasons` holds all that went in, so that anyone can decide again."""

    label: Label
    score: float | None
    reasons: dict[str, Any]
    input_sha256: str


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """Whether `rank` photos together reach their threshold; `at` is that of photos of no known view."""

    reached: bool
    rank: int
    at: float


def decide(
    evidence: Sequence[PhotoEvidence],
    policy: Policy,
    closed_by: ClosedBy,
    missing: Iterable[str] = (),
    model: ModelIdentity | None = None,
) -> Decision:
    """The verdict on a set. Any order of the same photos gives the same answer; a copy of a photo changes nothing.

    Companions are listed in `reasons`, and change nothing else.

    `score` is the highest probability of damage among the scored photos, None where none was scored.
    """
    listed = sorted(evidence, key=lambda photo: photo.key)
    photos = [photo for photo in listed if photo.reason != Refusal.COMPANION]
    missing_keys = sorted(missing)
    counted_as = _distinct([photo for photo in photos if photo.probability is not None], policy.same_photo_within)
    distinct = [photo for photo in photos if counted_as.get(photo.key) == photo.key]
    vehicle = [photo for photo in distinct if _shows_vehicle(photo, policy)]
    damaged = _suspicion(vehicle, len(distinct), policy, policy.damaged_at_rank)
    suspicious = _suspicion(distinct, len(distinct), policy, policy.clear_below_rank)
    if damaged.reached:
        label, rule = Label.DAMAGED, "enough photos reach the damage threshold"
    elif doubt := _doubt(
        photos, distinct, vehicle, policy, incomplete=bool(missing_keys) or closed_by is ClosedBy.DEADLINE
    ):
        label, rule = Label.UNDECIDED, doubt
    elif suspicious.reached:
        label, rule = Label.UNDECIDED, "a photo is between the clear and the damage threshold"
    elif _is_something_lost(photos):
        label, rule = Label.UNDECIDED, CLEAR_BUT_FOR_LOSS
    else:
        label, rule = Label.CLEAR, "every photo stays below the clear threshold"
    reasons = {
        "rule": rule,
        "closed_by": closed_by.value,
        "missing": missing_keys,
        "model": asdict(model) if model else None,
        "policy": policy.model_dump(mode="json"),
        "thresholds": {
            "photos": len(distinct),
            "damaged_at": damaged.at,
            "damaged_photos": damaged.rank,
            "clear_below": suspicious.at,
            "suspicious_photos": suspicious.rank,
            "intact_share": _intact_share(distinct, policy),
        },
        "photos": [_account(photo, policy, counted_as) for photo in listed],
    }
    inputs = {name: reasons[name] for name in ("closed_by", "missing", "model", "policy", "photos")}
    return Decision(
        label, max((photo.probability or 0.0 for photo in distinct), default=None), reasons, sha256_of(inputs)
    )


def _distinct(photos: Sequence[PhotoEvidence], within: int) -> dict[str, str]:
    """For each photo's key that of the photo it counts as: the most suspicious of those it is a copy of.

    Copies of copies are copies, so that the order of photos does not matter.
    """
    group = list(range(len(photos)))
    for i, photo in enumerate(photos):
        for j in range(i):
            if group[i] != group[j] and _is_copy(photo, photos[j], within):
                old, new = group[i], group[j]
                group = [new if number == old else number for number in group]
    members: dict[int, list[PhotoEvidence]] = {}
    for photo, number in zip(photos, group, strict=True):
        members.setdefault(number, []).append(photo)
    return {
        photo.key: min(copies, key=lambda copy: (-(copy.probability or 0.0), copy.key)).key
        for copies in members.values()
        for photo in copies
    }


def _is_copy(photo: PhotoEvidence, other: PhotoEvidence, within: int) -> bool:
    if photo.content_sha256 is not None and photo.content_sha256 == other.content_sha256:
        return True
    if photo.likeness is None or other.likeness is None:
        return False
    return differing_bits(photo.likeness, other.likeness) <= within


def _shows_vehicle(photo: PhotoEvidence, policy: Policy) -> bool:
    within, distance = policy.vehicle_within, photo.vehicle_distance
    return within is None or distance is None or distance <= within


def _suspicion(
    photos: Sequence[PhotoEvidence],
    count: int,
    policy: Policy,
    threshold: Callable[[int, int, ViewRule | None], float],
) -> _Suspicion:
    """The least number of photos that together reach the threshold for so many; the first threshold where none do."""
    seen = [(photo.probability or 0.0, policy.view_of(photo.key)) for photo in photos]
    for rank in policy.ranks(count):
        at = threshold(rank, count, None)
        by_view = {view.name: threshold(rank, count, view) for view in policy.views}
        if sum(probability >= (by_view[view.name] if view else at) for probability, view in seen) >= rank:
            return _Suspicion(True, rank, at)
    return _Suspicion(False, 1, threshold(1, max(count, 1), None))


def _doubt(
    photos: Sequence[PhotoEvidence],
    distinct: Sequence[PhotoEvidence],
    vehicle: Sequence[PhotoEvidence],
    policy: Policy,
    *,
    incomplete: bool,
) -> str | None:
    """What keeps the set from being clear, whatever its probabilities; the first that applies."""
    unscored = any(photo.probability is None for photo in photos)
    reused = any(photo.reused_from is not None for photo in photos)
    doubts = (
        (not distinct, "no photo could be scored"),
        (not vehicle, "no photo shows a vehicle"),
        (unscored, "a photo could not be scored"),
        (incomplete, "the set is incomplete"),
        (len(distinct) < policy.least_photos, "there are too few photos"),
        ("photo_reused" in policy.undecided_when and reused, "a photo was used for an earlier return"),
        (
            "photo_shows_no_vehicle" in policy.undecided_when and len(vehicle) < len(distinct),
            "a photo shows no vehicle",
        ),
    )
    return next((doubt for applies, doubt in doubts if applies), None)


def _is_something_lost(photos: Sequence[PhotoEvidence]) -> bool:
    """Whether a content vanished: a photo that only got another name lies in the store still."""
    there = {photo.content_sha256 for photo in photos if photo.absence is None} - {None}
    return any(photo.absence is AbsenceReason.VANISHED and photo.content_sha256 not in there for photo in photos)


def _intact_share(photos: Sequence[PhotoEvidence], policy: Policy) -> float | None:
    """The share of intact sets of as many photos that look at least so damaged (Simes' combined p-value)."""
    shares = []
    for photo in photos:
        intact = policy.intact_of(policy.view_of(photo.key))
        if intact is None or photo.probability is None:
            return None
        shares.append(intact.share_reaching(photo.probability))
    count = policy.counted(len(shares))
    ranked = [share * count / rank for rank, share in enumerate(sorted(shares)[:count], start=1)]
    return round(min(1.0, *ranked), 6) if ranked else None


def _account(photo: PhotoEvidence, policy: Policy, counted_as: dict[str, str]) -> dict[str, Any]:
    """A photo as reasons name it; what is absent in most photos is left out where it is absent."""
    view = policy.view_of(photo.key)
    account = {
        "key": photo.key,
        "sha256": photo.content_sha256,
        "status": photo.status.value,
        "reason": photo.reason,
        "probability": photo.probability,
    }
    rare = {
        "likeness": photo.likeness,
        "vehicle_distance": photo.vehicle_distance,
        "shows_vehicle": None if _shows_vehicle(photo, policy) else False,
        "view": view.name if view else None,
        "counted_as": counted_as[photo.key] if counted_as.get(photo.key, photo.key) != photo.key else None,
        "reused_from": photo.reused_from,
        "absence": photo.absence.value if photo.absence else None,
    }
    return account | {name: value for name, value in rare.items() if value is not None}
