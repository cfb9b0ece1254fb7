"""When a vehicle came back follows from its photos, those that are gone among them, on both databases."""

from datetime import timedelta

from db.session import Sessions
from tests.photo_sets import NOW, TAKEN, arrive, judge, register, set_ref, stored
from tests.rows import view

REF = set_ref()
LATER = NOW + timedelta(hours=3)


def dates(sessions: Sessions) -> tuple[object, object]:
    (row,) = view(sessions, "standing")
    return _text(row["returned_at"]), _text(row["uploaded_at"])


def _text(value: object) -> str:
    return str(value).replace("T", " ").replace("Z", "+00:00")


def test_the_camera_says_when_once_it_was_read(sessions: Sessions) -> None:
    register(sessions)
    photos = [*stored(REF, "a"), *stored(REF, "b", at=LATER)]
    work = arrive(sessions, REF, photos).opened[0]
    assert dates(sessions) == (str(NOW), str(LATER))
    judge(sessions, work)
    assert dates(sessions) == (str(TAKEN), str(LATER))


def test_a_photo_that_vanishes_moves_no_return_in_time(sessions: Sessions) -> None:
    register(sessions)
    photos = [*stored(REF, "a"), *stored(REF, "b", at=LATER)]
    judge(sessions, arrive(sessions, REF, photos).opened[0])
    before = dates(sessions)
    for gone in ((), (), (photos[1].key,)):
        arrive(sessions, REF, photos[:1], gone=gone)
    assert dates(sessions) == before
