"""Photo sets: which object belongs to which return, what a manifest says, and when a set is complete. All pure."""

import hashlib
import json
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.domain import ClosedBy, SetRef, StoredObject
from core.errors import InvalidKey, InvalidManifest, SettingsInvalid

MANIFEST_NAME = "_manifest.json"
MARKER_NAME = "_COMPLETE"
REPORTS = "reports/"
REVIEWS = "reviews/"
MANIFEST_MAX_BYTES = 1_000_000
WHOLE_STORE = "."
KEY_MAX_BYTES = 1024  # S3's own limit
CAMERA_BELIEVED = timedelta(days=30)  # how long before its upload a photo may have been taken

# What operating systems leave in folders; nobody means these to be photos.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})
_REVIEW_KEY = re.compile(rf"{REVIEWS}\d{{4}}-\d\d/[0-9a-f]{{64}}\.json")
_FIELDS = frozenset({"fleet", "vehicle", "return"})
_DEFAULT_FLEET = "default"
_DEFAULT_RETURN = "1"


def validate_key(key: str) -> None:
    """Raise `InvalidKey` unless `key` is a plain object name: no `..`, no control characters, at most 1,024 bytes."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKey(f"object key {key!a} is not valid UTF-8; rename the object") from error
    if not key or length > KEY_MAX_BYTES:
        raise InvalidKey(f"object key of {length} bytes: keys have 1 to {KEY_MAX_BYTES} bytes; rename the object")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in key):
        raise InvalidKey(f"object key {key!a} holds control characters; rename the object")
    if key.startswith("/") or any(part in ("", ".", "..") for part in key.removesuffix("/").split("/")):
        raise InvalidKey(f"object key {key!a} holds an empty, `.` or `..` part; rename the object")


@dataclass(frozen=True)
class KeyLayout:
    """Where a return's photos lie: a template of `{fleet}`, `{vehicle}` and `{return}` folders, ending in `/`.

    A folder that the template does not name has a fixed value: fleet `default`, return `1`. The template `.` makes the
    whole store one set, of the vehicle `single_vehicle`. Raises `SettingsInvalid` for a template that cannot work.
    """

    template: str = "returns/{fleet}/{vehicle}/{return}/"
    single_vehicle: str = "vehicle"

    def __post_init__(self) -> None:
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        except ValueError as error:
            raise SettingsInvalid(f"key template {self.template!r}: {error}") from error
        if self.template == WHOLE_STORE:
            return
        if not self.template.endswith("/"):
            raise SettingsInvalid(f"key template {self.template!r} must end in `/`")
        if set(names) - _FIELDS or len(names) != len(set(names)):
            raise SettingsInvalid(
                f"key template {self.template!r} may name {{fleet}}, {{vehicle}} and {{return}} once each"
            )
        if "vehicle" not in names:
            raise SettingsInvalid(f"key template {self.template!r} must name {{vehicle}}")

    @property
    def root(self) -> str:
        """The literal prefix before the first named folder: what a scan lists."""
        return "" if self.template == WHOLE_STORE else self.template.partition("{")[0]

    @property
    def _pattern(self) -> re.Pattern[str]:
        if self.template == WHOLE_STORE:
            return re.compile("")
        parts = []
        for literal, name, _, _ in string.Formatter().parse(self.template):
            parts.append(re.escape(literal))
            if name is not None:
                parts.append(f"(?P<{name}_>[^/]+)")
        return re.compile("".join(parts))

    def parse(self, key: str) -> SetRef | None:
        """The set that `key` lies in, or None where it lies in none."""
        match = self._pattern.match(key)
        if match is None or is_own_key(key) or any(part in (".", "..") for part in match[0].split("/")):
            return None
        named = match.groupdict()
        return SetRef(
            fleet=named.get("fleet_", _DEFAULT_FLEET),
            vehicle=named.get("vehicle_", self.single_vehicle),
            return_ref=named.get("return_", _DEFAULT_RETURN),
            set_key=match[0],
        )


def guess_layout(keys: Iterable[str]) -> KeyLayout:
    """The layout of a store nobody described, from some of its photo keys: the standard one, or a folder of folders.

    `<vehicle>/<photo>`, `<vehicle>/<return>/<photo>`, `<fleet>/<vehicle>/<return>/<photo>`, or photos side by side
    (the whole store is one set). The commonest depth decides.
    """
    depths: dict[int, int] = {}
    standard = KeyLayout()
    for key in keys:
        if standard.parse(key) is not None:
            return standard
        if is_photo_key(key):
            depth = min(key.count("/"), 3)
            depths[depth] = depths.get(depth, 0) + 1
    depth = max(depths, key=lambda level: (depths[level], level), default=1)
    templates = [WHOLE_STORE, "{vehicle}/", "{vehicle}/{return}/", "{fleet}/{vehicle}/{return}/"]
    return KeyLayout(templates[depth])


def is_photo_key(key: str) -> bool:
    """Whether the object is meant to be a photo: not a folder marker, not hidden, not a control file, not litter."""
    name = PurePosixPath(key).name
    litter = name.startswith((".", "_")) or name.lower() in _LITTER
    return not (key.endswith("/") or litter or is_own_key(key))


def is_own_key(key: str) -> bool:
    """Whether Walkaround wrote the object: a report or a review. A vehicle may be called `reports` all the same."""
    return (key.startswith(REPORTS) and key.endswith((".html", ".json"))) or is_review_key(key)


def is_review_key(key: str) -> bool:
    """Whether the object is one recorded decision."""
    return _REVIEW_KEY.fullmatch(key) is not None


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
        if len(photos) >= rules.expected:
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
