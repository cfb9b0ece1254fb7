"""The words of the system as values: frozen, aware of time zones, free of I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Label(StrEnum):
    """A verdict's answer."""

    DAMAGED = "damaged"
    CLEAR = "clear"
    UNDECIDED = "undecided"


class PhotoStatus(StrEnum):
    """SEEN in a listing, OK: scored, UNUSABLE pixels, QUARANTINED file.

    GONE is only ever a worker's result, for a photo that it did not find in the store. What was known of a photo stays
    known when it goes: that it is gone stands beside its status (`AbsenceReason`).
    """

    SEEN = "seen"
    OK = "ok"
    UNUSABLE = "unusable"
    QUARANTINED = "quarantined"
    GONE = "gone"


class AbsenceReason(StrEnum):
    """Why a photo is no longer in the store. VANISHED: nobody has explained it, which makes its return undecided.

    An absence that somebody explains (a rule that removes old photos, say) gets a reason of its own here.
    """

    VANISHED = "vanished"


class ClosedBy(StrEnum):
    """The rule that said a set is complete, most trusted first."""

    MANIFEST = "manifest"
    MARKER = "marker"
    COUNT = "count"
    QUIET = "quiet"
    DEADLINE = "deadline"


class WorkState(StrEnum):
    """PENDING until claimed, LEASED while a worker holds it, DONE with a verdict, DEAD after too many attempts."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


class ModelState(StrEnum):
    """At most one model version is ACTIVE."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SetRef:
    """One vehicle return, and the prefix its photos lie under: `set_key` ends in `/`, or is `""` for a whole store."""

    fleet: str
    vehicle: str
    return_ref: str
    set_key: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as a listing shows it; `etag` changes whenever the content does."""

    key: str
    size: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's content, hashed while it was read."""

    data: bytes = field(repr=False)
    sha256: str
    etag: str


class PhotoStore(Protocol):
    """Where photos lie. Keys are `/`-separated and relative to the store.

    Errors: `StoreUnavailable` (try again), `StoreRefused` (an operator must act), and for one object
    that it refuses while it gives others `PhotoRefused(ARCHIVED)` or `PhotoRefused(ACCESS_DENIED)`.
    """

    @property
    def name(self) -> str:
        """The bucket's name, or the folder's path: what `photo_set.bucket` records."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose key starts with `prefix`, in key order, page by page (flat memory).

        A server may list in another order: whoever needs the order checks it (`workers.listing`). A store that noticed
        that lists in order from then on, folder by folder.
        """

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        """The object's content, of exactly the version `etag` where one is given.

        Raises `PhotoMissing`, `PhotoChanged` (another etag) and, before reading more than `max_bytes`,
        `PhotoRefused(TOO_LARGE)`.
        """

    def read_start(self, key: str, size: int, *, etag: str | None = None) -> bytes:
        """The first `size` bytes of an object, all of it where it is smaller; raises `PhotoMissing`, `PhotoChanged`."""

    def stat(self, key: str) -> StoredObject | None:
        """The object as it is now, or None where there is none."""

    def write(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> StoredObject:
        """Store `data` whole or not at all, replacing what was there."""

    def create(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Store `data` whole where nothing lies under the key yet; False, changing nothing, where something does."""


BASE_SIZE = 224  # what ImageNet's ResNet50 was trained at


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """How a photo becomes network inputs; part of a model's identity.

    The whole photo is resized to `size` x `size`; with `tiles` = n > 0, n x n overlapping tiles follow, row by row,
    each `tile_share` of the photo's width and height, resized to the same square.
    """

    size: int = BASE_SIZE
    tiles: int = 0
    tile_share: float = 0.6

    @property
    def count(self) -> int:
        """Views per photo."""
        return 1 + self.tiles * self.tiles

    @property
    def cost(self) -> float:
        """What a photo asks of the network, in views of 224 x 224 pixels; a smaller view counts as one."""
        return self.count * max(1.0, (self.size / BASE_SIZE) ** 2)

    @property
    def tile_offsets(self) -> tuple[float, ...]:
        """Where the tiles start, as shares of the photo's width and of its height: evenly from edge to edge."""
        slack = 1.0 - self.tile_share
        return tuple(slack * (i / (self.tiles - 1) if self.tiles > 1 else 0.5) for i in range(self.tiles))


@dataclass(frozen=True, slots=True)
class Quality:
    """Cheap measures of a photo's pixels, each on the reduced image; see `core.photos.quality`."""

    sharpness: float
    brightness: float
    dark_share: float
    bright_share: float
    contrast: float


@dataclass(frozen=True, slots=True)
class LoadedPhoto:
    """A photo ready to score: views are uint8 RGB of shape (plan.count, size, size, 3).

    `phash` is its perceptual hash, see `core.phash_bits`.
    """

    views: Pixels = field(repr=False)
    width: int
    height: int
    format: str
    taken_at: datetime | None
    quality: Quality
    phash: str


class PhotoLoader(Protocol):
    """Turns untrusted bytes into pixels, somewhere a hostile file can do no harm."""

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """Decode one photo. Raises `PhotoRefused` with its reason. Safe to call from many threads."""

    def close(self) -> None:
        """End the decoding processes."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the model says of one photo: `probability` of damage (calibrated), its `logit`, and where.

    `heatmap` is float32 (rows, columns) over the whole photo: each cell's contribution to the logit, positive for
    damage. `vehicle_distance` tells how unlike a vehicle the photo is (`core.model.vehicle`), where the model can.
    `device_seconds` is the photo's share of the time that the device took for its batch.
    `cells` is float32 (cells, cells, 1 + kinds) over the whole photo: logits of damage and of its kinds
    (`core.model.outline_branch`), where the model has a branch for them.
    """

    probability: float
    logit: float
    heatmap: NDArray[np.float32] = field(repr=False)
    vehicle_distance: float | None = None
    device_seconds: float = field(default=0.0, compare=False, kw_only=True)
    cells: NDArray[np.float32] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes two models the same one: weights and preprocessing (view plan, calibration), each by sha256."""

    name: str
    weights_sha256: str
    preprocess_sha256: str

    def scores_as(self, other: "ModelIdentity") -> bool:
        """Whether both give every photo the same score, whatever they are called."""
        mine, others = (self.weights_sha256, self.preprocess_sha256), (other.weights_sha256, other.preprocess_sha256)
        return mine == others


class Classifier(Protocol):
    """A model that scores photos. Thread-safe: photos of many callers share one batch on the device."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""

    @property
    def plan(self) -> ViewPlan:
        """The views it wants of each photo."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        """One score per photo, in order; each photo is uint8 RGB (plan.count, size, size, 3)."""

    def warm_up(self) -> None:
        """Load the model now, so that the first photos do not wait for it."""

    def close(self) -> None:
        """Stop the batching thread and let the device go."""
