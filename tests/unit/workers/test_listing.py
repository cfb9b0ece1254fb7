from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.domain import ClosedBy, SetRef, StoredObject
from core.keys import KeyLayout
from core.testing.memory_store import MemoryPhotoStore
from db.queries import SetRow
from workers.listing import ListedSet, differs, listed_sets, side_by_side

LAYOUT = KeyLayout("{vehicle}/")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Tally:
    objects: int = 0
    strays: int = 0
    keys: list[str] = field(default_factory=list)


def listed(vehicle: str, photos: dict[str, str], **control: StoredObject) -> ListedSet:
    return ListedSet(
        SetRef("default", vehicle, "1", f"{vehicle}/"), photos, control.get("manifest"), control.get("marker"), ()
    )


def row(vehicle: str, photos: dict[str, str], closed_by: ClosedBy | None = ClosedBy.QUIET) -> SetRow:
    return SetRow(SetRef("default", vehicle, "1", f"{vehicle}/"), 1, closed_by, NOW, photos)


def test_objects_are_grouped_by_set_and_strays_named() -> None:
    store = MemoryPhotoStore()
    for key in ["V1/1.jpg", "V1/2.jpg", "V1/_COMPLETE", "V2/_manifest.json", "V2/a.jpg", "stray.jpg", ".hidden"]:
        store.write(key, b"x")
    tally = Tally()
    sets = list(listed_sets(store, LAYOUT, tally, on_stray=tally.keys.append))
    assert [(item.ref.vehicle, sorted(item.photos)) for item in sets] == [
        ("V1", ["V1/1.jpg", "V1/2.jpg"]),
        ("V2", ["V2/a.jpg"]),
    ]
    assert sets[0].marker is not None
    assert sets[1].manifest is not None
    assert (tally.objects, tally.strays, tally.keys) == (7, 1, ["stray.jpg"])


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
