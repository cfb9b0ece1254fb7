"""A store's listing and the database's sets, walked side by side without holding either in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from core.completeness import MANIFEST_NAME, MARKER_NAME
from core.domain import ClosedBy, PhotoStore, SetRef, StoredObject
from core.keys import KeyLayout, is_photo_key
from db.queries import SetRow


class KnownSet(Protocol):
    """Anything the database knows of one set."""

    @property
    def ref(self) -> SetRef: ...


Known = TypeVar("Known", bound=KnownSet)


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set as the store lists it: its photos' etags, its control files if they are there, and all its objects."""

    ref: SetRef
    photos: dict[str, str]
    manifest: StoredObject | None
    marker: StoredObject | None
    objects: Sequence[StoredObject]


class Tally(Protocol):
    """What counts the objects on the way."""

    objects: int
    strays: int


def listed_sets(
    store: PhotoStore, layout: KeyLayout, tally: Tally, on_stray: Callable[[str], None] | None = None
) -> Iterator[ListedSet]:
    """The sets under the layout's root in key order; photo objects that belong to no set are strays."""
    current: SetRef | None = None
    objects: list[StoredObject] = []
    for entry in store.list(layout.root):
        tally.objects += 1
        if current is None or not entry.key.startswith(current.set_key):
            if current is not None:
                yield _listed(current, objects)
            current, objects = layout.parse(entry.key), []
        if current is not None:
            objects.append(entry)
        elif is_photo_key(entry.key):
            tally.strays += 1
            if on_stray is not None:
                on_stray(entry.key)
    if current is not None:
        yield _listed(current, objects)


def _listed(ref: SetRef, objects: list[StoredObject]) -> ListedSet:
    named = {entry.key.removeprefix(ref.set_key): entry for entry in objects}
    photos = {entry.key: entry.etag for entry in objects if is_photo_key(entry.key)}
    return ListedSet(ref, photos, named.get(MANIFEST_NAME), named.get(MARKER_NAME), objects)


def side_by_side(
    listed: Iterable[ListedSet], known: Iterable[Known]
) -> Iterator[tuple[ListedSet, Known | None] | tuple[None, Known]]:
    """Merge two streams ordered by set key (as UTF-8 bytes); what only one of them has comes with None."""
    rows = iter(known)
    row = next(rows, None)
    for item in listed:
        key = item.ref.set_key.encode()
        while row is not None and row.ref.set_key.encode() < key:
            yield None, row
            row = next(rows, None)
        if row is not None and row.ref.set_key.encode() == key:
            yield item, row
            row = next(rows, None)
        else:
            yield item, None
    while row is not None:
        yield None, row
        row = next(rows, None)


def differs(listed: ListedSet | None, row: SetRow | None) -> bool:
    """Whether a set must be ingested: new, still open, changed, or declared complete since by a more trusted rule."""
    if listed is None:
        return bool(row and row.photos)
    if row is None:
        return bool(listed.photos)
    if row.closed_by is None or listed.photos != row.photos:
        return True
    if listed.manifest is not None:
        return row.closed_by is not ClosedBy.MANIFEST or listed.manifest.modified_at > row.last_change_at
    return listed.marker is not None and row.closed_by not in (ClosedBy.MANIFEST, ClosedBy.MARKER)
