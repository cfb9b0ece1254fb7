"""Sets taken in many at once stand in both databases exactly as if each had been ingested alone."""

from datetime import timedelta

from sqlalchemy import text

from core.completeness import Completeness, Manifest
from core.domain import ClosedBy, SetRef, StoredObject
from db.session import Sessions
from db.transactions import SetListing, WorkKey, record_new_sets
from tests.integration.deployment import all_rows
from tests.photo_sets import BUCKET, MARKED, NOW, arrive, manifest_of, register, set_ref, stored

OPEN = Completeness(None, check_at=NOW + timedelta(minutes=10), note="still coming")
INCOMPLETE = Completeness(ClosedBy.DEADLINE, missing=("returns/harbour/V-004/2026-11-20/z.jpg",))
Seen = tuple[SetRef, list[StoredObject], Completeness, Manifest | None]


def sightings() -> list[Seen]:
    """A complete set, an open one, one with a manifest, one whose deadline has passed, two returns of one vehicle."""
    earlier = NOW - timedelta(days=1)
    second = set_ref(1, return_ref="2026-11-21")
    manifest = manifest_of(stored(set_ref(3), "a", "b"))
    return [
        (set_ref(1), [*stored(set_ref(1), "a", at=earlier), *stored(set_ref(1), "b")], MARKED, None),
        (second, stored(second, "a"), MARKED, None),
        (set_ref(2), stored(set_ref(2), "a"), OPEN, None),
        (set_ref(3), stored(set_ref(3), "a", "b"), Completeness(ClosedBy.MANIFEST), manifest),
        (set_ref(4), stored(set_ref(4), "a"), INCOMPLETE, None),
        (set_ref(5, fleet="airport"), [], Completeness(None), None),
    ]


def listings(seen: list[Seen]) -> list[SetListing]:
    return [SetListing(*one) for one in seen]


def take(sessions: Sessions, seen: list[Seen]) -> tuple[set[str], set[WorkKey]]:
    taken = record_new_sets(sessions, BUCKET, listings(seen), None, NOW)
    return set(taken.set_keys), set(taken.opened)


def test_taken_in_together_is_ingested_one_by_one(sessions: Sessions) -> None:
    register(sessions)
    seen = sightings()
    opened = {work for one in seen for work in arrive(sessions, *one).opened}
    alone = _rows(sessions)
    with sessions.begin() as session:
        for table in ("work", "photo", "photo_set", "vehicle"):
            session.execute(text(f"DELETE FROM {table}"))
    keys, works = take(sessions, seen)
    assert keys == {ref.set_key for ref, *_ in seen}
    assert len(works) == len(opened) == 4
    assert _rows(sessions) == alone


def test_a_set_that_is_known_already_is_left_as_it_is(sessions: Sessions) -> None:
    register(sessions)
    known, *others = sightings()
    arrive(sessions, known[0], stored(known[0], "newer"))
    before = all_rows(sessions)
    keys, works = take(sessions, [known, *others])
    assert keys == {ref.set_key for ref, *_ in others}
    assert len(works) == 3
    assert take(sessions, [known, *others]) == (set(), set())
    after = all_rows(sessions)
    for table in ("photo_set", "photo"):
        assert all(row in after[table] for row in before[table])


def test_without_a_model_nothing_is_asked(sessions: Sessions) -> None:
    assert take(sessions, sightings())[1] == set()
    assert all_rows(sessions)["work"] == []


def _rows(sessions: Sessions) -> dict[str, list[tuple[object, ...]]]:
    """What is stored of sets, photos and work, under names in place of ids and without the database's own clock."""
    queries = {
        "set": "SELECT s.*, v.fleet, v.vehicle_ref FROM photo_set s JOIN vehicle v ON v.id = s.vehicle_id",
        "photo": "SELECT p.*, s.set_key FROM photo p JOIN photo_set s ON s.id = p.set_id",
        "work": "SELECT w.*, s.set_key FROM work w JOIN photo_set s ON s.id = w.set_id",
    }
    without = {"id", "set_id", "vehicle_id", "not_before", "last_published", "created_at"}
    found: dict[str, list[tuple[object, ...]]] = {}
    with sessions() as session:
        for name, query in queries.items():
            rows = session.execute(text(query)).mappings()
            found[name] = sorted(tuple((k, str(v)) for k, v in row.items() if k not in without) for row in rows)
    return found
