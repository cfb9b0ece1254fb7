"""When a photo set is complete, what a manifest promises, and when its vehicle came back. All pure."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.domain import ClosedBy, StoredObject
from core.errors import InvalidKey, InvalidManifest
from core.keys import KEY_MAX_BYTES, validate_key
from core.object_kinds import MANIFEST_NAME, companions

MANIFEST_MAX_BYTES = 1_000_000
CAMERA_BELIEVED = timedelta(days=30)  # how long before its upload a photo may have been taken


class ManifestEntry(BaseModel):
    """One photo that the uploader promises: its key (within the set, or whole), size in bytes and sha256 in hex."""

    model_config = ConfigDict(frozen=True, strict=True)
    key: str = Field(min_length=1, max_length=KEY_MAX_BYTES)
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _ManifestDocument(BaseModel):
    model_config = ConfigDict(strict=True)
    photos: list[ManifestEntry] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `_manifest.json` promises; entries have whole keys."""

    entries: tuple[ManifestEntry, ...]
    sha256: str


def parse_manifest(data: bytes, set_key: str) -> Manifest:
    """Read a manifest: `{"photos": [{"key", "size", "sha256"}, ...]}`.

    Raises `InvalidManifest`, which names the manifest and the remedy.
    """
    name = set_key + MANIFEST_NAME
    if len(data) > MANIFEST_MAX_BYTES:
        raise InvalidManifest(
            f"{name} is larger than {MANIFEST_MAX_BYTES:,} bytes; upload one that lists this set only"
        )
    try:
        document = _ManifestDocument.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else "it is not JSON"
        raise InvalidManifest(
            f'{name} is not a manifest ({where}); upload {{"photos": [{{"key", "size", "sha256"}}, ...]}}'
        ) from error
    entries = []
    for entry in document.photos:
        key = entry.key if entry.key.startswith(set_key) else set_key + entry.key
        try:
            validate_key(key)
        except InvalidKey as error:
            raise InvalidManifest(f"{name}: {error}") from error
        entries.append(entry.model_copy(update={"key": key}))
    return Manifest(tuple(entries), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class CompletionRules:
    """How long to wait for a set that nothing declares complete, and how many photos it should have."""

    quiet_period: timedelta = timedelta(minutes=10)
    deadline: timedelta = timedelta(hours=6)
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether a set is complete: by which rule, or when to look again; what is missing; what was wrong, in words."""

    closed_by: ClosedBy | None
    check_at: datetime | None = None
    missing: tuple[str, ...] = ()
    note: str | None = None


def completeness(
    photos: Sequence[StoredObject],
    *,
    manifest: Manifest | None,
    marker: bool,
    rules: CompletionRules,
    now: datetime,
    note: str | None = None,
) -> Completeness:
    """Decide from a listing by the most trusted rule that speaks: manifest, marker, count, quiet; then deadline.

    A manifest or an expected count that is not met keeps a set open until its deadline; a set of no photos is never
    closed. Times are the store's own modification times, so the same listing gives the same answer at any worker.
    """
    if not photos:
        return Completeness(None, note=note)
    missing: tuple[str, ...] = ()
    if manifest is not None:
        sizes = {photo.key: photo.size for photo in photos}
        missing = tuple(entry.key for entry in manifest.entries if sizes.get(entry.key) != entry.size)
        if not missing:
            return Completeness(ClosedBy.MANIFEST, note=note)
    elif marker:
        return Completeness(ClosedBy.MARKER, note=note)
    elif rules.expected is not None:
        if len(photos) - len(companions(photo.key for photo in photos)) >= rules.expected:
            return Completeness(ClosedBy.COUNT, note=note)
    else:
        quiet_at = max(photo.modified_at for photo in photos) + rules.quiet_period
        if now >= quiet_at:
            return Completeness(ClosedBy.QUIET, note=note)
        return Completeness(None, check_at=quiet_at, note=note)
    deadline_at = min(photo.modified_at for photo in photos) + rules.deadline
    if now >= deadline_at:
        return Completeness(ClosedBy.DEADLINE, missing=missing, note=note)
    return Completeness(None, check_at=deadline_at, missing=missing, note=note)


def returned_at(photos: Iterable[tuple[datetime, datetime | None]]) -> datetime | None:
    """When a vehicle came back: the earliest moment among its photos, each (uploaded, taken); None without photos.

    The camera knows best, above all when a phone was without network for a day. Its clock is not believed where it
    says that the photo was taken after its upload or more than `CAMERA_BELIEVED` before it.
    """
    moments = (
        taken if taken is not None and uploaded - CAMERA_BELIEVED <= taken <= uploaded else uploaded
        for uploaded, taken in photos
    )
    return min(moments, default=None)
