"""No key, no object and no row ends a scan: what cannot be taken is named, and the rest goes on."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.completeness import CompletionRules
from core.domain import Label, StoredObject
from core.testing.memory_store import MemoryPhotoStore
from tests.house import GREEN, LONG_AGO, House
from workers import pipeline


class HostileStore(MemoryPhotoStore):
    """A store that lists what `write` would refuse."""

    def add(self, key: str, etag: str = "e") -> None:
        self._objects[key] = (StoredObject(key, 3, etag, LONG_AGO), b"abc")


@pytest.mark.parametrize("name", ["a\x00b.jpg", "\ud800.jpg", "a\x1b[2J.jpg", "x" * 4000, "../../etc/passwd"])
def test_a_return_with_a_name_that_is_not_accepted_goes_to_a_person_and_stops_no_other(house: House, name: str) -> None:
    store = HostileStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write("returns/harbour/HB-204/r1/1.jpg", GREEN)
    store.write("returns/harbour/HB-300/r1/1.jpg", GREEN)
    store.add(f"returns/harbour/HB-300/r1/{name}")
    store.write("returns/z/z/last/1.jpg", GREEN)
    scanned = pipeline.scan(house.context)
    assert (scanned.sets, scanned.repaired, scanned.failed) == (3, 3, 0)
    house.answer()
    assert house.labels() == {
        "returns/harbour/HB-204/r1/": Label.CLEAR,
        "returns/harbour/HB-300/r1/": Label.UNDECIDED,
        "returns/z/z/last/": Label.CLEAR,
    }
    again = pipeline.scan(house.context)
    assert (again.missing, again.repaired, again.failed) == (0, 0, 0)


def test_a_set_that_the_database_refuses_is_counted_and_stops_no_other(house: House) -> None:
    """A text that the database's encoding cannot hold, as a vehicle named in another alphabet in a LATIN1 database."""
    store = HostileStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write("returns/harbour/HB-204/r1/1.jpg", GREEN)
    store.add("returns/harbour/HB-300/r1/1.jpg", etag="\ud800")
    store.write("returns/z/z/last/1.jpg", GREEN)
    scanned = pipeline.scan(house.context)
    assert (scanned.sets, scanned.repaired, scanned.failed) == (3, 2, 1)
    house.answer()
    assert house.labels() == {"returns/harbour/HB-204/r1/": Label.CLEAR, "returns/z/z/last/": Label.CLEAR}
    assert pipeline.scan(house.context).failed == 1, "named again by the next scan"


def test_a_set_that_cannot_be_looked_at_again_stops_no_other(house: House) -> None:
    class OneBroken(MemoryPhotoStore):
        broken = ""

        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            if prefix and prefix == self.broken:
                raise ZeroDivisionError("a bug that one set alone meets")
            return super().list(prefix)

    store = OneBroken(now=lambda: datetime.now(UTC))
    house.context = replace(house.context, store=store, rules=CompletionRules(quiet_period=timedelta(0)))
    for set_key in ("returns/a/a/a/", "returns/b/b/b/"):
        store.write(f"{set_key}1.jpg", GREEN)
        objects = list(store.list(set_key))
        later = replace(house.context, rules=CompletionRules(quiet_period=timedelta(seconds=0.2)))
        pipeline.ingest_listing(later, pipeline.set_of(later, set_key), objects)
    time.sleep(0.3)
    store.broken = "returns/a/a/a/"
    assert pipeline.reconcile(house.context).looked == 1
