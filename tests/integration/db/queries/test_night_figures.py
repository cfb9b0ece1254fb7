"""The figures of the nightly report, on both databases."""

from datetime import timedelta

from core.domain import PhotoStatus
from db.queries.night_figures import Failure, failures, queue_length, refused_photos, score_shape
from db.session import Sessions
from db.transactions import bury
from tests.photo_sets import BUCKET, NOW, arrive, judge, must_claim, register, set_ref, stored


def test_a_night_in_figures(sessions: Sessions) -> None:
    register(sessions)
    for number, probability in enumerate((0.05, 0.31, 0.39, 0.65, 1.0), start=1):
        judge(sessions, arrive(sessions, set_ref(number), stored(set_ref(number), "a")).opened[0], probability)
    judge(sessions, arrive(sessions, set_ref(6), stored(set_ref(6), "a")).opened[0], a=PhotoStatus.QUARANTINED)
    for number in (8, 7):
        work = arrive(sessions, set_ref(number), stored(set_ref(number), "a")).opened[0]
        bury(sessions, must_claim(sessions, work), f"error {number}")
    assert failures(sessions, BUCKET, 10) == [
        Failure(set_ref(7).set_key, "error 7"),
        Failure(set_ref(8).set_key, "error 8"),
    ]
    assert failures(sessions, BUCKET, 1) == [Failure(set_ref(7).set_key, "error 7")]
    assert refused_photos(sessions, BUCKET) == {"corrupt": 1}
    assert queue_length(sessions) == 2, "the one in doubt and the one that could not be read"
    week = timedelta(days=7)
    shape = score_shape(sessions, BUCKET, NOW - week, NOW + week)
    assert (shape.tenths, shape.damaged, shape.sets) == ((1, 0, 0, 2, 0, 0, 1, 0, 0, 1), 1, 5)
    assert score_shape(sessions, BUCKET, NOW + week, NOW + 2 * week).sets == 0
