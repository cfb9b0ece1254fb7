"""A store's listing and the database's sets, walked side by side without holding either in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import structlog

from core.domain import ClosedBy, PhotoStore, SetRef, StoredObject
from core.errors import ListingOutOfOrder
from core.keys import KeyLayout, is_accepted, recorded_key
from core.object_kinds import MANIFEST_NAME, MARKER_NAME, ObjectKind, kind_of, litter_rule
from db.queries import SetRow

log = structlog.get_logger(__name__)


class KnownSet(Protocol):
    """Anything the database knows of one set."""

    @property
    def ref(self) -> SetRef:
        """Which set it is."""


Known = TypeVar("Known", bound=KnownSet)
Walked = TypeVar("Walked")


@dataclass(slots=True)
class ListingCount:
    """Every object that a listing shows, counted as what it is; `litter` by its rule.

    `content` lies in a return: a photo or a companion. `strays` would be content, but lie in no return. `elsewhere` is
    what lies outside the layout's root.
    """

    objects: int = 0
    content: int = 0
    control: int = 0
    own: int = 0
    elsewhere: int = 0
    strays: int = 0
    litter: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set as the store lists it: its content's etags by key, its control files if they are there, all its objects."""

    ref: SetRef
    content: dict[str, str]
    manifest: StoredObject | None
    marker: StoredObject | None
    objects: Sequence[StoredObject]


def content_of(ref: SetRef, objects: Iterable[StoredObject]) -> list[StoredObject]:
    """A set's photos and their companions, under the keys that they are written down by."""
    return [
        replace(entry, key=recorded_key(entry.key, ref.set_key))
        for entry in objects
        if kind_of(entry.key, entry.size) is ObjectKind.CONTENT
    ]


def walk_in_order(walk: Callable[[], Walked]) -> Walked:
    """What `walk` returns, a walk through `listed_sets`; once more from the start where the listing was out of order.

    The store has noticed that too, and lists folder by folder now. Raises `ListingOutOfOrder` if it does not.
    """
    try:
        return walk()
    except ListingOutOfOrder as error:
        log.warning("listing_out_of_order", problem=str(error))
        return walk()


def _checked(entries: Iterable[StoredObject], store: PhotoStore) -> Iterator[StoredObject]:
    """The objects as they come. Raises `ListingOutOfOrder`, for sets would come in pieces and photos seem absent."""
    last, before = "", b""
    for entry in entries:
        key = entry.key.encode(errors="surrogatepass")
        if key < before:
            raise ListingOutOfOrder(
                f"{store.name} lists {entry.key!a} after {last!a}, out of the order of keys; "
                "use a server that lists in that order (versitygw does from its pull request 1515 on)"
            )
        last, before = entry.key, key
        yield entry


def listed_sets(
    store: PhotoStore,
    layout: KeyLayout,
    count: ListingCount,
    on_stray: Callable[[str], None] = lambda _: None,
    *,
    whole_store: bool = False,
) -> Iterator[ListedSet]:
    """The sets under the layout's root in key order. Every object is counted, and `on_stray` gets each stray's key.

    With `whole_store`, what lies outside the root is listed and counted too. Raises what the store raises, and
    `ListingOutOfOrder` at the first object that comes too late: see `walk_in_order`.
    """
    current: SetRef | None = None
    objects: list[StoredObject] = []
    for entry in _checked(store.list("" if whole_store else layout.root), store):
        if current is not None and not entry.key.startswith(current.set_key):
            yield _listed(current, objects)
            current, objects = None, []
        ref = current or _set_of(entry, layout)
        kind = _count(entry, ref, layout, count)
        if ref is not None and kind in (ObjectKind.CONTENT, ObjectKind.CONTROL):
            current = ref
            objects.append(entry)
        elif kind is ObjectKind.CONTENT:
            on_stray(ascii(entry.key)[1:-1])
    if current is not None:
        yield _listed(current, objects)


def _set_of(entry: StoredObject, layout: KeyLayout) -> SetRef | None:
    ref = layout.parse(entry.key)
    is_named_well = ref is not None and (not ref.set_key or is_accepted(ref.set_key))
    return ref if is_named_well else None


def _count(entry: StoredObject, ref: SetRef | None, layout: KeyLayout, count: ListingCount) -> ObjectKind | None:
    """Count the object; its kind, None where it lies outside the layout's root."""
    count.objects += 1
    kind = kind_of(entry.key, entry.size)
    if kind is not ObjectKind.OWN and not entry.key.startswith(layout.root):
        count.elsewhere += 1
        return None
    match kind:
        case ObjectKind.OWN:
            count.own += 1
        case ObjectKind.CONTROL:
            count.control += 1
        case ObjectKind.LITTER:
            count.litter[litter_rule(entry.key, entry.size) or ""] += 1
        case ObjectKind.CONTENT if ref is None:
            count.strays += 1
        case ObjectKind.CONTENT:
            count.content += 1
    return kind


def _listed(ref: SetRef, objects: Sequence[StoredObject]) -> ListedSet:
    control = {entry.key.removeprefix(ref.set_key): entry for entry in objects}
    content = {entry.key: entry.etag for entry in content_of(ref, objects)}
    return ListedSet(ref, content, control.get(MANIFEST_NAME), control.get(MARKER_NAME), objects)


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
        return bool(listed.content)
    if row.closed_by is None or listed.content != row.photos:
        return True
    if listed.manifest is not None:
        return row.closed_by is not ClosedBy.MANIFEST or listed.manifest.modified_at > row.last_change_at
    return listed.marker is not None and row.closed_by not in (ClosedBy.MANIFEST, ClosedBy.MARKER)
