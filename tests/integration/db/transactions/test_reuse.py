"""A photo that an earlier return already holds is found by its looks, on both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event, select, text

from core.domain import SetRef, StoredObject
from db.models import Photo
from db.session import Sessions
from db.transactions import Finish, WorkKey, finish
from db.transactions.reuse import mark_reused
from tests.photo_sets import NOW, POLICY, arrive, must_claim, register, scored, set_ref, stored

EARLIER = SetRef("f", "v1", "r1", "returns/f/v1/r1/")
LATER = SetRef("f", "v2", "r2", "returns/f/v2/r2/")
LOOK, ALMOST, OTHER = "0" * 64, "8" + "0" * 62 + "f", "f" * 64
# By three and by four of the coarse bits, spread over both halves.
THREE_AWAY, FOUR_AWAY = ("8000" * upper + "0000" * (4 - upper) + "8000" + "0000" * 11 for upper in (2, 3))


def shifted(photos: list[StoredObject], hours: int) -> list[StoredObject]:
    return [replace(photo, modified_at=photo.modified_at + timedelta(hours=hours)) for photo in photos]


def judge(sessions: Sessions, work: WorkKey, *looks: str) -> None:
    claim = must_claim(sessions, work)
    results = [replace(result, phash=look) for result, look in zip(scored(claim), looks, strict=True)]
    assert finish(sessions, claim, results, POLICY, NOW, 1.0) is Finish.VERDICT


def test_a_photo_of_an_earlier_return_is_named_and_a_later_ones_is_not(sessions: Sessions) -> None:
    register(sessions)
    earlier = arrive(sessions, EARLIER, shifted(stored(EARLIER, "a", "b"), 0)).opened[0]
    later = arrive(sessions, LATER, shifted(stored(LATER, "c", "d"), 5)).opened[0]
    judge(sessions, earlier, LOOK, OTHER)
    judge(sessions, later, ALMOST, "3" * 64)
    with sessions() as session:
        found = dict(session.execute(select(Photo.object_key, Photo.reused_from)).tuples().all())
    assert {key.rpartition("/")[2][0]: source for key, source in found.items()} == {
        "a": None,
        "b": None,
        "c": earlier.set_id,
        "d": None,
    }


def test_a_later_photo_is_no_source_though_it_was_scored_first(sessions: Sessions) -> None:
    register(sessions)
    earlier = arrive(sessions, EARLIER, shifted(stored(EARLIER, "a"), 0)).opened[0]
    same_time = arrive(sessions, set_ref(7), shifted(stored(set_ref(7), "s"), 0)).opened[0]
    later = arrive(sessions, LATER, shifted(stored(LATER, "c"), 5)).opened[0]
    for work in (later, earlier, same_time):
        judge(sessions, work, LOOK)
    with sessions() as session:
        found = session.scalars(select(Photo.reused_from).order_by(Photo.id)).all()
    assert found == [None, None, None]


def test_the_farthest_that_counts_is_found_and_the_next_is_not(sessions: Sessions) -> None:
    register(sessions)
    earlier = arrive(sessions, EARLIER, shifted(stored(EARLIER, "a"), 0)).opened[0]
    later = arrive(sessions, LATER, shifted(stored(LATER, "c", "d"), 5)).opened[0]
    judge(sessions, earlier, LOOK)
    judge(sessions, later, THREE_AWAY, FOUR_AWAY)
    with sessions() as session:
        found = session.scalars(select(Photo.reused_from).where(Photo.set_id == later.set_id).order_by(Photo.id)).all()
    assert found == [earlier.set_id, None]


def test_the_search_reads_both_indexes_and_never_all_photos(sessions: Sessions) -> None:
    """Of a return of a thousand photos too, which is more values than SQLite takes one by one."""
    hashes = {number: f"{number * 7919:064x}"[::-1] for number in range(1000)}
    asked = []
    with sessions() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
        mark_reused(session, 1, hashes)
        statement, parameters = asked[0]
        on_postgresql = connection.dialect.name == "postgresql"
        if on_postgresql:  # whose planner would rather read an empty table whole
            session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if on_postgresql else "EXPLAIN QUERY PLAN"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "ix_photo_likeness_upper" in plan
    assert "ix_photo_likeness_lower" in plan
    assert "SCAN photo" not in plan
    assert "Seq Scan" not in plan
