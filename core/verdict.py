"""From photos to a verdict: a pure function of stored rows and a policy. Recomputing gives the same bytes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from core.canonical import sha256_of
from core.domain import AbsenceReason, ClosedBy, Label, ModelIdentity, PhotoStatus
from core.errors import Refusal
from core.phash_bits import near_groups
from core.policy import Policy, ViewRule
from core.reasons import PhotoReasons, Reasons, Rule


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What is known of one live photo of a set. `probability` of damage is there exactly when `status` is OK.

    `phash` is the photo's perceptual hash (`core.phash_bits`), `vehicle_distance` how far its features lie from those
    of vehicles (`core.model.vehicle`), `reused_from` the key of an earlier set that holds the same photo.
    `absence` is why it is no longer in the store; what is known of it counts all the same.
    """

    key: str
    status: PhotoStatus
    content_sha256: str | None = None
    reason: str | None = None
    probability: float | None = None
    phash: str | None = None
    vehicle_distance: float | None = None
    reused_from: str | None = None
    absence: AbsenceReason | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict before it is stored. `reasons` holds all that went in, so that anyone can decide again."""

    label: Label
    score: float | None
    reasons: Reasons
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
        label, rule = Label.DAMAGED, Rule.DAMAGE
    elif doubt := _doubt(
        photos, distinct, vehicle, policy, incomplete=bool(missing_keys) or closed_by is ClosedBy.DEADLINE
    ):
        label, rule = Label.UNDECIDED, doubt
    elif suspicious.reached:
        label, rule = Label.UNDECIDED, Rule.BETWEEN_THRESHOLDS
    elif _is_something_lost(photos):
        label, rule = Label.UNDECIDED, Rule.CLEAR_BUT_FOR_LOSS
    else:
        label, rule = Label.CLEAR, Rule.CLEAR
    reasons: Reasons = {
        "rule": rule,
        "closed_by": closed_by,
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
    # all but what follows from the rest
    inputs = {name: value for name, value in reasons.items() if name not in ("rule", "thresholds")}
    score = max((photo.probability or 0.0 for photo in distinct), default=None)
    return Decision(label, score, reasons, sha256_of(inputs))


def _distinct(photos: Sequence[PhotoEvidence], within: int) -> dict[str, str]:
    """For each photo's key that of the photo it counts as: the most suspicious of those it is a copy of.

    Copies of copies are copies, so that the order of photos does not matter.
    """
    ordered = sorted(zip(_groups(photos, within), photos, strict=True), key=lambda pair: pair[0])
    counted_as = {}
    for _, members in groupby(ordered, key=lambda pair: pair[0]):
        copies = [photo for _, photo in members]
        most_suspicious = min(copies, key=lambda copy: (-(copy.probability or 0.0), copy.key))
        counted_as.update({copy.key: most_suspicious.key for copy in copies})
    return counted_as


def _groups(photos: Sequence[PhotoEvidence], within: int) -> list[int]:
    """For each photo the number of its group: copies by content or by perceptual hash are together."""
    groups = near_groups([photo.phash for photo in photos], within)
    joined = list(range(len(photos)))  # of each group the one that it was joined with, or itself

    def first_of(group: int) -> int:
        while joined[group] != group:
            joined[group] = group = joined[joined[group]]
        return group

    group_of_content: dict[str, int] = {}
    for photo, group in zip(photos, groups, strict=True):
        if photo.content_sha256 is not None:
            other = group_of_content.setdefault(photo.content_sha256, group)
            joined[first_of(group)] = first_of(other)
    return [first_of(group) for group in groups]


def _shows_vehicle(photo: PhotoEvidence, policy: Policy) -> bool:
    within, distance = policy.vehicle_within, photo.vehicle_distance
    return within is None or distance is None or distance <= within


def _suspicion(
    photos: Sequence[PhotoEvidence],
    count: int,
    policy: Policy,
    threshold: Callable[[int, int, ViewRule | None], float],
) -> _Suspicion:
    """The least number of photos that together reach the threshold for so many; if none do, the first threshold."""
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
) -> Rule | None:
    """The first rule that keeps the set from being clear, whatever its probabilities."""
    unscored = any(photo.probability is None for photo in photos)
    reused = any(photo.reused_from is not None for photo in photos)
    doubts = (
        (not distinct, Rule.NOTHING_SCORED),
        (not vehicle, Rule.NO_VEHICLE),
        (unscored, Rule.PHOTO_NOT_SCORED),
        (incomplete, Rule.INCOMPLETE),
        (len(distinct) < policy.least_photos, Rule.TOO_FEW_PHOTOS),
        ("photo_reused" in policy.undecided_when and reused, Rule.PHOTO_REUSED),
        (
            "photo_shows_no_vehicle" in policy.undecided_when and len(vehicle) < len(distinct),
            Rule.PHOTO_WITHOUT_VEHICLE,
        ),
    )
    return next((doubt for applies, doubt in doubts if applies), None)


def _is_something_lost(photos: Sequence[PhotoEvidence]) -> bool:
    """Whether a content vanished: a photo that was only renamed is still in the store."""
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


def _account(photo: PhotoEvidence, policy: Policy, counted_as: dict[str, str]) -> PhotoReasons:
    """A photo as reasons name it; what is absent in most photos is left out where it is absent."""
    account: PhotoReasons = {
        "key": photo.key,
        "sha256": photo.content_sha256,
        "status": photo.status,
        "reason": photo.reason,
        "probability": photo.probability,
    }
    if photo.phash is not None:
        account["likeness"] = photo.phash
    if photo.vehicle_distance is not None:
        account["vehicle_distance"] = photo.vehicle_distance
    if not _shows_vehicle(photo, policy):
        account["shows_vehicle"] = False
    if view := policy.view_of(photo.key):
        account["view"] = view.name
    if (other := counted_as.get(photo.key, photo.key)) != photo.key:
        account["counted_as"] = other
    if photo.reused_from is not None:
        account["reused_from"] = photo.reused_from
    if photo.absence is not None:
        account["absence"] = photo.absence
    return account
