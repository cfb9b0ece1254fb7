"""A report for tests: every standing, and every kind of photo."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.domain import ClosedBy, Label, PhotoStatus
from core.errors import Refusal
from core.photos.usability import Unusable
from core.policy import Policy
from core.verdict import PhotoEvidence, decide
from reports.view import PhotoView, Report, ReturnView, Standing, Totals

POLICY = Policy(damaged_at=0.62, clear_below=0.35)
MADE_AT = datetime(2026, 11, 20, 17, 40, tzinfo=UTC)


def photo(name: str, probability: float | None = None, reason: str | None = None, set_key: str = "") -> PhotoView:
    """A scored photo, or one refused for `reason`, or one still to be scored."""
    heat = None if probability is None else np.eye(7, dtype=np.float32) * probability
    status = PhotoStatus.OK if probability is not None else PhotoStatus.SEEN
    if reason is not None:
        status = PhotoStatus.UNUSABLE if reason in set(Unusable) else PhotoStatus.QUARANTINED
    return PhotoView(set_key + name, f"etag-{name}", status, reason, probability, heat, 640, 480)


def decided(set_key: str, *photos: PhotoView, closed_by: ClosedBy = ClosedBy.MANIFEST, **changes: Any) -> ReturnView:
    """A return with the verdict that the photos lead to."""
    _, fleet, vehicle, return_ref, _ = set_key.split("/")
    evidence = [PhotoEvidence(p.key, p.status, None, p.reason, p.probability) for p in photos]
    decision = decide(evidence, POLICY, closed_by, changes.pop("missing", ()))
    values: dict[str, Any] = {
        "standing": Standing(decision.label),
        "score": decision.score,
        "closed_by": closed_by.value,
        "photos": photos,
        "reasons": decision.reasons,
        "decided_at": MADE_AT,
    }
    return ReturnView(set_key, fleet, vehicle, return_ref, **(values | changes))


def waiting(set_key: str, standing: Standing, *photos: PhotoView, note: str | None = None) -> ReturnView:
    """A return without a verdict."""
    _, fleet, vehicle, return_ref, _ = set_key.split("/")
    return ReturnView(set_key, fleet, vehicle, return_ref, standing, None, None, photos, note=note)


def sample_report() -> Report:
    """Nine returns of two fleets."""
    keys = {name: f"returns/{fleet}/{name}/2026-11-20-0815/" for name, fleet in _VEHICLES.items()}

    def photos(name: str, *values: float | str | None) -> list[PhotoView]:
        reasons = [value if isinstance(value, str) else None for value in values]
        scores = [value if isinstance(value, float) else None for value in values]
        both = enumerate(zip(scores, reasons, strict=True), start=1)
        return [photo(f"{n:02}.jpg", score, reason, keys[name]) for n, (score, reason) in both]

    returns = [
        decided(keys["HB-117"], *photos("HB-117", 0.02, 0.11, 0.05)),
        decided(keys["HB-204"], *photos("HB-204", 0.12, 0.97, 0.88, 0.03)),
        decided(keys["HB-311"], *photos("HB-311", 0.995, 0.22, Refusal.TRUNCATED.value), closed_by=ClosedBy.MARKER),
        decided(keys["AP-077"], *photos("AP-077", 0.48, 0.10), closed_by=ClosedBy.QUIET),
        decided(keys["AP-052"], *photos("AP-052", 0.08, Unusable.BLURRED.value, Refusal.EMPTY.value)),
        decided(keys["AP-090"], *photos("AP-090", 0.30), standing=Standing(Label.DAMAGED), decided_by="person"),
        waiting(keys["AP-091"], Standing.PENDING, *photos("AP-091", None, None)),
        waiting(keys["AP-092"], Standing.FAILED, *photos("AP-092", None), note="given up after 5 attempts"),
        waiting(keys["AP-093"], Standing.OPEN, *photos("AP-093", None)),
    ]
    return report_of(*returns)


def report_of(*returns: ReturnView) -> Report:
    """A report of these returns."""
    order = list(Standing)
    chosen = sorted(returns, key=lambda found: (order.index(found.standing), -(found.score or 0), found.set_key))
    photos = [photo for found in returns for photo in found.photos]
    standings = Counter(found.standing for found in returns)
    statuses = Counter(photo.status for photo in photos)
    totals = Totals(
        standings={standing: standings[standing] for standing in Standing if standings[standing]},
        photo_statuses={status: statuses[status] for status in PhotoStatus if statuses[status]},
        pictures=sum(photo.status in (PhotoStatus.OK, PhotoStatus.UNUSABLE) for photo in photos),
        heat_maps=any(photo.heatmap is not None for photo in photos),
    )
    return Report("demo", "walkaround-resnet50", MADE_AT, totals, chosen)


_VEHICLES = {
    **dict.fromkeys(("HB-117", "HB-204", "HB-311"), "harbour"),
    **dict.fromkeys(("AP-052", "AP-077", "AP-090", "AP-091", "AP-092", "AP-093"), "airport"),
}
