"""What only a folder can do; the contract that all stores share is in tests/integration/core/storage/test_s3.py."""

import os
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import pytest

from core.errors import InvalidKey, PhotoChanged, PhotoMissing, PhotoRefused, Refusal, StoreRefused
from core.storage.folder import FolderPhotoStore

as_a_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def keys(store: FolderPhotoStore, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def test_hidden_files_are_listed_and_half_written_ones_are_not(tmp_path: Path) -> None:
    """What hidden files are is decided by name in one place, for all stores (`core.object_kinds`)."""
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.jpg").touch()
    (tmp_path / ".hidden.jpg").touch()
    (tmp_path / ".walkaround-x1.partial").touch()
    store = FolderPhotoStore(tmp_path)
    store.write("a/1.jpg", b"x")
    assert keys(store) == [".hidden.jpg", ".hidden/a.jpg", "a/1.jpg"]
    assert keys(store, ".hidden/") == [".hidden/a.jpg"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1.jpg"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderPhotoStore(tmp_path)
    store.write("a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreRefused, match="a: No space left on device"):
        store.write("a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert store.read("a", max_bytes=9).data == b"old"


def test_a_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderPhotoStore(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreRefused, match="a: No space left on device"):
        store.create("a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_name_is_no_object(tmp_path: Path) -> None:
    store = FolderPhotoStore(tmp_path)
    store.create("a/b", b"x")
    for key in ("a", "a/b/c"):
        with pytest.raises(InvalidKey, match="clashes with a file or folder"):
            store.create(key, b"x")
    assert keys(store) == ["a/b"]


def test_a_file_that_may_not_be_read_is_refused_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything: the refusal is planted at the two calls that would meet it."""
    store, readable = FolderPhotoStore(tmp_path), {"2.jpg"}
    for name in ("1.jpg", "2.jpg"):
        store.write(f"r/{name}", b"x")
    opened = Path.open

    def open_if_allowed(path: Path, _: str) -> BinaryIO:
        if path.name not in readable:
            raise PermissionError(13, "Permission denied")
        return opened(path, "rb")

    monkeypatch.setattr(Path, "open", open_if_allowed)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name in readable)
    with pytest.raises(PhotoRefused) as caught:
        store.read("r/1.jpg", max_bytes=9)
    assert caught.value.reason is Refusal.ACCESS_DENIED
    assert store.read("r/2.jpg", max_bytes=9).data == b"x"
    readable.clear()
    with pytest.raises(StoreRefused):
        store.read("r/1.jpg", max_bytes=9)


def test_changes_that_hide_their_time_are_seen(tmp_path: Path) -> None:
    """Same size, same inode, modification time set back: the inode's own time cannot be."""
    store = FolderPhotoStore(tmp_path)
    before = store.write("a", b"one")
    times = (tmp_path / "a").stat()
    (tmp_path / "a").write_bytes(b"two")
    os.utime(tmp_path / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(PhotoChanged):
        store.read("a", max_bytes=9, etag=before.etag)


def test_links(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    store = FolderPhotoStore(root)
    store.write("a/1.jpg", b"x")
    (root / "inside.jpg").symlink_to(root / "a" / "1.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "nothing.jpg").symlink_to(root / "gone")
    (root / "a" / "circle").symlink_to(root)
    assert keys(store) == ["a/1.jpg", "inside.jpg"]
    assert keys(store, "a/circle/") == []
    assert "outside.jpg is a link" in caplog.text
    assert store.read("inside.jpg", max_bytes=9).data == b"x"
    assert store.stat("outside.jpg") is None
    with pytest.raises(PhotoMissing):
        store.read("outside.jpg", max_bytes=9)
    with pytest.raises(InvalidKey):
        store.write("outside.jpg", b"overwritten")
    assert (tmp_path / "secret.jpg").read_bytes() == b"secret"


def test_a_link_to_the_folder_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = FolderPhotoStore(tmp_path / "link")
    store.write("a", b"x")
    assert keys(store) == ["a"]
    assert store.name == str(tmp_path / "real")


def test_a_name_that_is_not_utf8_is_listed_and_found(tmp_path: Path) -> None:
    (tmp_path / "V1").mkdir()
    (tmp_path / os.fsdecode(b"V1/caf\xe9.jpg")).write_bytes(b"x")
    store = FolderPhotoStore(tmp_path)
    (entry,) = store.list()
    assert entry.key == "V1/caf\\xe9.jpg"
    assert store.read(entry.key, max_bytes=9, etag=entry.etag).data == b"x"
    assert store.stat(entry.key) == entry


def test_a_backslash_in_a_name_means_itself(tmp_path: Path) -> None:
    store = FolderPhotoStore(tmp_path)
    store.write("a\\xe9", b"x")
    assert store.read("a\\xe9", max_bytes=9).data == b"x"


def test_odd_things_in_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    store = FolderPhotoStore(tmp_path)
    assert keys(store) == []
    assert store.stat("pipe.jpg") is None
    with pytest.raises(PhotoMissing):
        store.read("pipe.jpg", max_bytes=9)


def test_keys_that_no_file_can_have(tmp_path: Path) -> None:
    store = FolderPhotoStore(tmp_path)
    store.write("a", b"x")
    for key in ("../a", "a/b", "a\0", "x" * 300, "/etc/passwd"):
        assert store.stat(key) is None
    for key in ("a/b", "a/"):
        with pytest.raises(InvalidKey):
            store.write(key, b"x")
    store.write("b/c", b"x")
    with pytest.raises(InvalidKey, match="b clashes"):
        store.write("b", b"x")
    assert keys(store, "../") == []


def test_a_folder_that_is_none_or_goes_away(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="does not exist; check the path"):
        FolderPhotoStore(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(StoreRefused, match="is not a folder"):
        FolderPhotoStore(tmp_path / "file")
    (tmp_path / "disk").mkdir()
    store = FolderPhotoStore(tmp_path / "disk")
    (tmp_path / "disk").rmdir()
    with pytest.raises(StoreRefused, match="still mounted"):
        keys(store)


@as_a_user
def test_what_may_not_be_read_is_named_after_the_rest_is_listed(tmp_path: Path) -> None:
    store = FolderPhotoStore(tmp_path)
    for key in ("a/1", "b/1", "c/1"):
        store.write(key, b"x")
    (tmp_path / "b").chmod(0)
    try:
        found: list[str] = []
        with pytest.raises(StoreRefused, match=r"no permission to read the folder .*/b; allow it"):
            found.extend(map(attrgetter("key"), store.list()))
        assert found == ["a/1", "c/1"]
        with pytest.raises(StoreRefused, match="b/1: Permission denied"):
            store.read("b/1", max_bytes=9)
    finally:
        (tmp_path / "b").chmod(0o755)
