from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import ClosedBy, SetRef, StoredObject
from core.errors import ListingOutOfOrder
from core.keys import KeyLayout
from core.object_kinds import REVIEWS
from core.testing.memory_store import MemoryPhotoStore
from db.queries import SetRow
from workers.listing import ListedSet, ListingCount, differs, listed_sets, side_by_side, walk_in_order

LAYOUT = KeyLayout("{vehicle}/")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def listed(vehicle: str, photos: dict[str, str], **control: StoredObject) -> ListedSet:
    return ListedSet(
        SetRef("default", vehicle, "1", f"{vehicle}/"), photos, control.get("manifest"), control.get("marker"), ()
    )


def row(vehicle: str, photos: dict[str, str], closed_by: ClosedBy | None = ClosedBy.QUIET) -> SetRow:
    return SetRow(SetRef("default", vehicle, "1", f"{vehicle}/"), 1, closed_by, NOW, photos)


def test_objects_are_grouped_by_set_and_strays_named() -> None:
    store = MemoryPhotoStore()
    for key in ["V1/1.jpg", "V1/_2.jpg", "V1/_COMPLETE", "V2/_manifest.json", "V2/a.jpg", "stray.jpg", "V3/.DS_Store"]:
        store.write(key, b"x")
    count, strays = ListingCount(), list[str]()
    sets = list(listed_sets(store, LAYOUT, count, on_stray=strays.append))
    assert [(item.ref.vehicle, sorted(item.content)) for item in sets] == [
        ("V1", ["V1/1.jpg", "V1/_2.jpg"]),
        ("V2", ["V2/a.jpg"]),
    ]
    assert sets[0].marker is not None
    assert sets[1].manifest is not None
    assert count == ListingCount(objects=7, content=3, control=2, strays=1, litter=Counter({"macOS": 1}))
    assert strays == ["stray.jpg"]


def test_the_whole_store_is_counted() -> None:
    store = MemoryPhotoStore()
    for key in ["returns/f/v/r/1.jpg", "reports/a.html", "models/a.keras", "returns/a.jpg", f"{REVIEWS}2026-11/x.json"]:
        store.write(key, b"x")
    store.write("returns/f/", b"")
    count, part = ListingCount(), ListingCount()
    list(listed_sets(store, KeyLayout(), count, whole_store=True))
    assert count == ListingCount(
        objects=6, content=1, own=1, elsewhere=2, strays=1, litter=Counter({"folder marker": 1})
    )
    list(listed_sets(store, KeyLayout(), part))
    assert (part.objects, part.content, part.own, part.elsewhere) == (3, 1, 0, 0)


def test_one_set_stays_one_whatever_lies_between_its_photos() -> None:
    """In a store that is one set, a report of our own and a folder marker stand between the photos."""
    store = MemoryPhotoStore()
    for key in ["a.jpg", "reports/x.html", "sub/.DS_Store", "z.jpg"]:
        store.write(key, b"x")
    (only,) = listed_sets(store, KeyLayout("."), ListingCount())
    assert list(only.content) == ["a.jpg", "z.jpg"]


class HostileStore(MemoryPhotoStore):
    """One that lists names which S3 would take and `write` does not."""

    def add(self, key: str) -> None:
        self._objects[key] = (StoredObject(key, 1, "e", NOW), b"x")


def test_a_name_that_is_not_accepted_is_listed_in_a_form_that_can_be_written_down() -> None:
    store = HostileStore()
    for key in ["V1/1.jpg", "V1/a\x00b.jpg", "V1//x.jpg", "V1/\ud800.jpg", "V\x002/1.jpg"]:
        store.add(key)
    count, strays = ListingCount(), list[str]()
    (only,) = listed_sets(store, LAYOUT, count, on_stray=strays.append)
    assert set(only.content) == {"V1/1.jpg", "V1//a\\x00b.jpg", "V1//x.jpg", "V1//\\ud800.jpg"}
    assert strays == ["V\\x002/1.jpg"]
    assert (count.objects, count.content, count.strays) == (5, 4, 1)


@given(st.sets(st.text("aAé-/_0", min_size=1, max_size=4)), st.sets(st.text("aAé-/_0", min_size=1, max_size=4)))
def test_the_merge_pairs_every_key_once(left: set[str], right: set[str]) -> None:
    def in_order(keys: set[str]) -> Iterator[str]:
        return iter(sorted((f"{key}/" for key in keys), key=str.encode))

    listing = [ListedSet(SetRef("f", "v", "1", key), {}, None, None, ()) for key in in_order(left)]
    rows = [SetRow(SetRef("f", "v", "1", key), 1, None, NOW, {}) for key in in_order(right)]
    merged = [(a.ref.set_key if a else None, b.ref.set_key if b else None) for a, b in side_by_side(listing, rows)]
    assert {a for a, _ in merged if a} == {f"{key}/" for key in left}
    assert {b for _, b in merged if b} == {f"{key}/" for key in right}
    assert all(a is None or b is None or a == b for a, b in merged)
    assert len(merged) == len(left | right)


def test_what_must_be_ingested() -> None:
    photos = {"V1/1.jpg": "e1"}
    assert differs(listed("V1", photos), None), "new"
    assert differs(listed("V1", photos), row("V1", {})), "a photo more"
    assert differs(listed("V1", photos), row("V1", {"V1/1.jpg": "e0"})), "overwritten"
    assert differs(None, row("V1", photos)), "all gone"
    assert differs(listed("V1", photos), row("V1", photos, closed_by=None)), "still open"
    assert not differs(listed("V1", photos), row("V1", photos)), "as it stands"
    assert not differs(None, row("V1", {})), "gone long ago"
    assert not differs(listed("V1", {}), None), "nothing but control files"


def test_control_files_that_came_later() -> None:
    photos = {"V1/1.jpg": "e1"}
    marker = StoredObject("V1/_COMPLETE", 0, "m", NOW)
    old_manifest = StoredObject("V1/_manifest.json", 9, "m", NOW - timedelta(hours=1))
    new_manifest = StoredObject("V1/_manifest.json", 9, "m", NOW + timedelta(hours=1))
    assert differs(listed("V1", photos, marker=marker), row("V1", photos))
    assert not differs(listed("V1", photos, marker=marker), row("V1", photos, ClosedBy.MARKER))
    assert differs(listed("V1", photos, manifest=old_manifest), row("V1", photos))
    assert not differs(listed("V1", photos, manifest=old_manifest), row("V1", photos, ClosedBy.MANIFEST))
    assert differs(listed("V1", photos, manifest=new_manifest), row("V1", photos, ClosedBy.MANIFEST))


class UnorderedStore(MemoryPhotoStore):
    """A store that lists folder by folder, and learns nothing from it."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        yield from sorted(super().list(prefix), key=lambda entry: entry.key.split("/"))


def test_a_listing_out_of_order_is_reported_and_no_set_comes_in_pieces() -> None:
    store = UnorderedStore()
    for key in ("V1/1.jpg", "V1/2.jpg", "V1-2/1.jpg", "V2/1.jpg"):
        store.write(key, b"x")
    seen: list[str] = []
    with pytest.raises(ListingOutOfOrder, match=r"'V1-2/1.jpg' after 'V1/2.jpg', out of the order of keys"):
        seen.extend(item.ref.vehicle for item in listed_sets(store, LAYOUT, ListingCount()))
    assert seen == []
    walks: list[int] = []

    def walk() -> int:
        walks.append(len(walks))
        return len(list(listed_sets(store, LAYOUT, ListingCount())))

    with pytest.raises(ListingOutOfOrder):
        walk_in_order(walk)
    assert walks == [0, 1], "tried once more, no oftener"
