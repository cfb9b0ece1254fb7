"""Photos in a local folder, by the same contract as in S3."""

import errno
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from core.domain import Blob, StoredObject
from core.errors import InvalidKey, PhotoChanged, PhotoMissing, PhotoRefused, Refusal, StoreRefused, StoreUnavailable
from core.keys import validate_key

log = logging.getLogger(__name__)

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_UNFINISHED = (".walkaround-", ".partial")  # how the name of a file begins and ends that is being written
_OTHERS = 100  # files beside one that may not be read, tried to see whether that one alone may not
_ESCAPED_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


class FolderPhotoStore:
    """A `PhotoStore` over a folder.

    An etag is made of size, inode, and the times of the last change of content and of the inode: the last of these
    cannot be set back, so no change hides, and no file is read for a listing. Hidden files are listed like all others,
    except those that `write` has not finished. Links to files are followed where they stay inside the folder; links to
    folders are not, which rules out circles.
    A file name that is not UTF-8 is listed with its odd bytes escaped (backslash, x, two hex digits), and is found by
    that key.
    """

    def __init__(self, root: Path) -> None:
        with _translated(str(root)):
            self._root = root.resolve()
            if not self._root.exists():
                raise StoreRefused(f"the folder {root} does not exist; check the path")
            if not self._root.is_dir():
                raise StoreRefused(f"{root} is not a folder; name the folder that the photos lie in")

    @property
    def name(self) -> str:
        """The folder's absolute path."""
        return _key_of(str(self._root))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All files whose key starts with `prefix`, in key order, one folder in memory at a time.

        Folders that cannot be read are named in a `StoreRefused` after everything else was listed.
        """
        if not self._root.is_dir():
            raise StoreRefused(f"the folder {self._root} is gone; bring it back (is its disk still mounted?)")
        unreadable: set[str] = set()
        folder = self._path(prefix.rpartition("/")[0])
        if folder == folder.resolve():  # through no link, and no `..`
            yield from self._walk(folder, prefix, unreadable)
        if unreadable:
            more = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
            raise StoreRefused(f"no permission to read the folder {min(unreadable)}{more}; allow it to this user")

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        """The content of one file, of exactly the version `etag` where one is given; see `PhotoStore.read`."""
        with self._opened(key, etag) as (file, before):
            if before.st_size > max_bytes:
                raise PhotoRefused(Refusal.TOO_LARGE, f"{key} has {before.st_size:,} bytes")
            data = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
        if _etag(after) != _etag(before) or len(data) != before.st_size:
            raise PhotoChanged(f"{key} was being written while it was read; it will be read again")
        return Blob(data, hashlib.sha256(data).hexdigest(), _etag(before))

    def read_start(self, key: str, size: int, *, etag: str | None = None) -> bytes:
        """The first bytes of one file; see `PhotoStore.read_start`."""
        with self._opened(key, etag) as (file, _):
            return file.read(size)

    @contextmanager
    def _opened(self, key: str, etag: str | None) -> Iterator[tuple[BinaryIO, os.stat_result]]:
        """The file, of exactly the version `etag` where one is given, and its status."""
        validate_key(key)
        path = self._path(key)
        with _translated(key):
            if not self._holds(path) or not path.is_file():
                raise PhotoMissing(f"there is no photo {key} in {self._root}")
            with self._open(path) as file:
                status = os.fstat(file.fileno())
                if etag is not None and etag != _etag(status):
                    raise PhotoChanged(f"{key} was replaced since it was listed; it will be ingested again")
                yield file, status

    def _open(self, path: Path) -> BinaryIO:
        try:
            return path.open("rb")
        except PermissionError as error:
            others = (entry for entry in islice(path.parent.iterdir(), _OTHERS) if entry != path and entry.is_file())
            if any(os.access(other, os.R_OK) for other in others):
                raise PhotoRefused(Refusal.ACCESS_DENIED, f"{path}: {error.strerror}") from error
            raise

    def stat(self, key: str) -> StoredObject | None:
        """The file as it is now, or None where there is none."""
        path = self._path(key)
        try:
            with _translated(key):
                return _stored(key, path.stat()) if self._holds(path) and path.is_file() else None
        except PhotoMissing:
            return None

    def write(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> StoredObject:  # noqa: ARG002
        """Store `data` whole or not at all: written beside, flushed to the disk, then renamed."""
        path = self._writable(key)
        with _translated(key), _clashes_refused(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, data, replacing=True)
            return _stored(key, path.stat())

    def create(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> bool:  # noqa: ARG002
        """Store `data` whole where no such file is yet, however many try at once; False where there is one."""
        path = self._writable(key)
        with _translated(key), _clashes_refused(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write_atomically(path, data, replacing=False)
            except FileExistsError:
                if not path.is_file():
                    raise
                return False
        return True

    def _writable(self, key: str) -> Path:
        validate_key(key)
        path = self._root / key
        if not self._holds(path) or key.endswith("/"):
            raise InvalidKey(f"{key} does not name a file inside {self._root}")
        return path

    def _walk(self, folder: Path, prefix: str, unreadable: set[str]) -> Iterator[StoredObject]:
        try:
            with os.scandir(folder) as entries:
                found = sorted((self._key(entry), entry) for entry in entries if not _is_unfinished(entry.name))
        except PermissionError:
            unreadable.add(str(folder))
            return
        except OSError as error:
            if error.errno in _ABSENT:
                return
            raise StoreUnavailable(f"cannot list {folder}: {error.strerror}; check its disk") from error
        for key, entry in found:
            if key.startswith(prefix) or prefix.startswith(key):
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path), prefix, unreadable)
                elif key.startswith(prefix):
                    stored = self._listed(key, entry)
                    if stored is not None:
                        yield stored

    def _listed(self, key: str, entry: os.DirEntry[str]) -> StoredObject | None:
        if entry.is_symlink() and not (self._holds(Path(entry.path)) and entry.is_file()):
            log.warning("%s is a link to a folder, to nothing, or out of %s; it is left out", key, self._root)
            return None
        try:
            return _stored(key, entry.stat()) if entry.is_file() else None
        except OSError:  # gone since the folder was read
            return None

    def _key(self, entry: os.DirEntry[str]) -> str:
        """A folder's key ends in `/`, so that sorting by it gives the order of the keys inside."""
        key = _key_of(str(Path(entry.path).relative_to(self._root)))
        return f"{key}/" if entry.is_dir(follow_symlinks=False) else key

    def _path(self, key: str) -> Path:
        path = self._root / key
        if b"\\x" in key.encode(errors="replace") and not os.path.lexists(path):
            raw = _ESCAPED_BYTE.sub(lambda byte: bytes([int(byte[1], 16)]), key.encode(errors="replace"))
            return self._root / os.fsdecode(raw)
        return path

    def _holds(self, path: Path) -> bool:
        """Whether the path, with all its links followed, stays inside the folder."""
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return False


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _ABSENT:
            raise PhotoMissing(f"there is no file {what}") from error
        if error.errno in _REFUSED:
            raise StoreRefused(f"{what}: {error.strerror}; correct that for the user that runs Walkaround") from error
        raise StoreUnavailable(f"{what}: {error.strerror}; check the disk it lies on") from error


@contextmanager
def _clashes_refused(key: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidKey(f"{key} clashes with a file or folder of the same name; choose another") from error


def _is_unfinished(name: str) -> bool:
    return name.startswith(_UNFINISHED[0]) and name.endswith(_UNFINISHED[1])


def _key_of(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _stored(key: str, status: os.stat_result) -> StoredObject:
    return StoredObject(key, status.st_size, _etag(status), datetime.fromtimestamp(status.st_mtime, UTC))


def _etag(status: os.stat_result) -> str:
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}-{status.st_ino:x}"


def _write_atomically(path: Path, data: bytes, *, replacing: bool) -> None:
    """Raises FileExistsError where something is there and not to be replaced."""
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=_UNFINISHED[0], suffix=_UNFINISHED[1], delete=False
    ) as file:
        beside = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            if replacing:
                beside.replace(path)
            else:
                path.hardlink_to(beside)  # unlike a rename, fails where there is one
        finally:
            beside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
