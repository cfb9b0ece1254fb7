"""What only the store in memory can do; the contract is in tests/integration/core/storage/test_s3.py."""

from datetime import UTC, datetime

from core.testing.memory_store import MemoryPhotoStore

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_time_and_name_are_the_tests_own() -> None:
    store = MemoryPhotoStore("fleet", now=lambda: NOW)
    assert store.write("a", b"x").modified_at == NOW
    assert store.name == "fleet"


def test_an_object_is_taken_away() -> None:
    store = MemoryPhotoStore()
    store.write("a", b"x")
    store.remove("a")
    assert (list(store.list()), store.stat("a")) == ([], None)


def test_a_listing_shows_the_store_as_it_was_when_it_began() -> None:
    store = MemoryPhotoStore()
    store.write("a", b"x")
    listing = store.list()
    first = next(listing)
    store.write("b", b"x")
    assert [first.key, *(entry.key for entry in listing)] == ["a"]
