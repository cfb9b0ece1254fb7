"""A photo that an earlier return already holds is found by its looks, on both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from core.domain import SetRef, StoredObject
from db.models import Photo
from db.repositories import Finish, WorkKey, finish
from db.session import Sessions
from tests.photo_sets import NOW, POLICY, arrive, must_claim, register, scored, stored

EARLIER = SetRef("f", "v1", "r1", "returns/f/v1/r1/")
LATER = SetRef("f", "v2", "r2", "returns/f/v2/r2/")
LOOK, ALMOST, OTHER = "0" * 64, "8" + "0" * 62 + "f", "f" * 64


def shifted(photos: list[StoredObject], hours: int) -> list[StoredObject]:
    return [replace(photo, modified_at=photo.modified_at + timedelta(hours=hours)) for photo in photos]


def judge(sessions: Sessions, work: WorkKey, *looks: str) -> None:
    claim = must_claim(sessions, work)
    results = [replace(result, likeness=look) for result, look in zip(scored(claim), looks, strict=True)]
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
