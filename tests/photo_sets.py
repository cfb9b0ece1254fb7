"""Photo sets for tests of the database: made, ingested and scored without a store or a model."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.completeness import Completeness, Manifest, ManifestEntry
from core.domain import ClosedBy, Label, ModelIdentity, ModelState, PhotoStatus, SetRef, StoredObject
from core.policy import Policy
from db.models import Queue
from db.session import Sessions
from db.transactions import (
    Claim,
    Finish,
    IngestOutcome,
    PhotoResult,
    WorkKey,
    claim,
    due_work,
    finish,
    ingest,
    register_model,
)

BUCKET = "fleet-photos"
NOW = datetime(2026, 11, 23, 8, 30, 0, 123456, tzinfo=UTC)
TAKEN = NOW - timedelta(hours=1)
POLICY = Policy(damaged_at=0.8, clear_below=0.5)
LEASE = timedelta(minutes=5)
MARKED = Completeness(ClosedBy.MARKER)
OPEN = Completeness(None, check_at=NOW + timedelta(minutes=10))
EXPIRED = timedelta(seconds=-1)  # a lease that is over as soon as it is given: no test waits


def set_ref(number: int = 1, fleet: str = "harbour", return_ref: str = "2026-11-20") -> SetRef:
    """A return of a vehicle."""
    return SetRef(fleet, f"V-{number:03}", return_ref, f"returns/{fleet}/V-{number:03}/{return_ref}/")


def stored(ref: SetRef, *names: str, version: str = "1", at: datetime = NOW) -> list[StoredObject]:
    """Objects of a set, uploaded `at`, as a listing shows them."""
    return [StoredObject(f"{ref.set_key}{name}.jpg", 1000, f"{name}-{version}", at) for name in names]


def register(sessions: Sessions, name: str = "first", state: ModelState = ModelState.ACTIVE) -> int:
    """A model version of its own weights."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return register_model(sessions, ModelIdentity(name, digest, "b" * 64), POLICY, state)


def manifest_of(photos: Sequence[StoredObject]) -> Manifest:
    """A manifest that lists these photos, with the contents that `scored` gives them."""
    entries = tuple(ManifestEntry(key=photo.key, size=photo.size, sha256=content(photo.key)) for photo in photos)
    return Manifest(entries, hashlib.sha256(repr(entries).encode()).hexdigest())


def content(key: str) -> str:
    """A content hash that belongs to a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def arrive(
    sessions: Sessions,
    ref: SetRef,
    listing: Sequence[StoredObject],
    completeness: Completeness = MARKED,
    manifest: Manifest | None = None,
    now: datetime = NOW,
    gone: Sequence[str] = (),
) -> IngestOutcome:
    """Ingest a listing."""
    return ingest(sessions, BUCKET, ref, listing, completeness, manifest, None, now, gone)


def must_claim(sessions: Sessions, work: WorkKey, lease: timedelta = LEASE) -> Claim:
    """Claim work that is due."""
    claimed = claim(sessions, work, lease, max_attempts=5)
    assert claimed is not None
    return claimed


def scored(
    claimed: Claim, probability: float = 0.1, taken_at: datetime | None = TAKEN, **statuses: PhotoStatus
) -> list[PhotoResult]:
    """A result for each photo of the claim: scored, unless `statuses` names another fate for it."""
    results = []
    for photo in claimed.photos:
        name = photo.object_key.rpartition("/")[2].removesuffix(".jpg")
        status = statuses.get(name, PhotoStatus.OK)
        if status is PhotoStatus.OK:
            results.append(
                PhotoResult(
                    photo.photo_id,
                    status,
                    content_sha256=content(photo.object_key),
                    width=4000,
                    height=3000,
                    taken_at=taken_at,
                    quality={"sharpness": 12.5},
                    probability=probability,
                    logit=-2.197224577336219,
                    heatmap=b"\x00\x3c" * 4,
                    heatmap_shape=(2, 2),
                )
            )
        else:
            results.append(PhotoResult(photo.photo_id, status, "corrupt", content(photo.object_key)))
    return results


def judge(sessions: Sessions, work: WorkKey, probability: float = 0.1, **statuses: PhotoStatus) -> Finish:
    """Claim, score and finish work."""
    claimed = must_claim(sessions, work)
    return finish(sessions, claimed, scored(claimed, probability, TAKEN, **statuses), POLICY, NOW, 0.25)


def review(set_id: int, verdict_id: int | None, key: str = "k1", **changes: Any) -> dict[str, Any]:
    """The arguments of `add_review`, `changes` among them."""
    return {
        "idempotency_key": key,
        "set_id": set_id,
        "seen_verdict_id": verdict_id,
        "seen_generation": 1,
        "label": Label.DAMAGED,
        "reason_code": "dent",
        "reviewer": "ana",
        "boxes": [{"key": "a", "box": [0.1, 0.2, 0.3, 0.4]}],
        "now": NOW + timedelta(hours=2),
        **changes,
    }


def all_due(sessions: Sessions, republish_after: timedelta) -> list[tuple[WorkKey, str]]:
    """All work that is due, with the names of its queues; it is marked as published."""
    return [(work, queue.value) for queue in Queue for work in due_work(sessions, queue, 1000, republish_after)]


class SentMessages(list[tuple[WorkKey, str]]):
    """A publisher that keeps what it sends; it has room for `capacity` messages a queue."""

    capacity = 1_000_000

    def __call__(self, work: WorkKey, queue: str) -> bool:
        if self.room(queue) == 0:
            return False
        self.append((work, queue))
        return True

    def room(self, queue: str) -> int:
        return self.capacity - self.length(queue)

    def length(self, queue: str) -> int:
        return sum(sent_to == queue for _, sent_to in self)
