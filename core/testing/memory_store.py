"""A photo store in memory, held to the same contract tests as the real ones."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Lock

from core.domain import Blob, StoredObject
from core.errors import PhotoChanged, PhotoMissing, PhotoRefused, Refusal
from core.keys import validate_key


class MemoryPhotoStore:
    """A `PhotoStore` that forgets everything with the process; `now` gives the time of a write."""

    def __init__(self, name: str = "memory", now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._name = name
        self._now = now
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name it was given."""
        return self._name

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects as they were when the listing began, in key order."""
        with self._lock:
            found = [stored for key, (stored, _) in self._objects.items() if key.startswith(prefix)]
        yield from sorted(found, key=lambda stored: stored.key)

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        """See `PhotoStore.read`."""
        stored, data = self._version(key, etag)
        if stored.size > max_bytes:
            raise PhotoRefused(Refusal.TOO_LARGE, f"{key} has {stored.size:,} bytes")
        return Blob(data, hashlib.sha256(data).hexdigest(), stored.etag)

    def read_start(self, key: str, size: int, *, etag: str | None = None) -> bytes:
        """See `PhotoStore.read_start`."""
        return self._version(key, etag)[1][:size]

    def stat(self, key: str) -> StoredObject | None:
        """See `PhotoStore.stat`."""
        with self._lock:
            return self._objects[key][0] if key in self._objects else None

    def write(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> StoredObject:  # noqa: ARG002
        """See `PhotoStore.write`."""
        validate_key(key)
        with self._lock:
            return self._put(key, data)

    def create(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> bool:  # noqa: ARG002
        """See `PhotoStore.create`."""
        validate_key(key)
        with self._lock:
            if key in self._objects:
                return False
            self._put(key, data)
        return True

    def _version(self, key: str, etag: str | None) -> tuple[StoredObject, bytes]:
        validate_key(key)
        with self._lock:
            if key not in self._objects:
                raise PhotoMissing(f"there is no photo {key} in {self._name}")
            stored, data = self._objects[key]
        if etag is not None and etag != stored.etag:
            raise PhotoChanged(f"{key} was replaced since it was listed; it will be ingested again")
        return stored, data

    def _put(self, key: str, data: bytes) -> StoredObject:
        stored = StoredObject(key, len(data), hashlib.sha256(data).hexdigest()[:32], self._now())
        self._objects[key] = (stored, data)
        return stored

    def remove(self, key: str) -> None:
        """Take an object away, as a person with access to the bucket might."""
        with self._lock:
            del self._objects[key]
