"""A version that differs in its policy alone decides from copies of predictions, on both databases."""

from core.domain import ModelIdentity
from core.policy import Policy
from db.session import Sessions
from db.transactions import open_rescoring, register_model
from tests.photo_sets import POLICY, arrive, judge, must_claim, register, set_ref, stored
from tests.rows import rows

REF = set_ref()
STRICT = Policy(damaged_at=0.95, clear_below=0.05)


def test_predictions_of_the_same_weights_are_copied_and_no_others(sessions: Sessions) -> None:
    register(sessions, "first")
    judge(sessions, arrive(sessions, REF, stored(REF, "a", "b")).opened[0], 0.3)
    first = rows(sessions, "model_version")[0]
    same = register_model(sessions, ModelIdentity("same", first.weights_sha256, first.preprocess_sha256), STRICT)
    other = register_model(sessions, ModelIdentity("other", "c" * 64, first.preprocess_sha256), STRICT)
    known = {}
    for model in (same, other):
        (work,) = open_rescoring(sessions, model, 10)
        known[model] = [photo.probability for photo in must_claim(sessions, work).photos]
    assert known == {same: [0.3, 0.3], other: [None, None]}
    copied = [row for row in rows(sessions, "prediction") if row.model_id == same]
    assert [(row.heatmap_rows, row.heatmap_columns) for row in copied] == [(2, 2)] * 2


def test_copying_again_changes_nothing(sessions: Sessions) -> None:
    register(sessions, "first")
    judge(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0], 0.3)
    first = rows(sessions, "model_version")[0]
    same = register_model(sessions, ModelIdentity("same", first.weights_sha256, first.preprocess_sha256), STRICT)
    (work,) = open_rescoring(sessions, same, 10)
    before = rows(sessions, "prediction")
    assert len(before) == 1
    assert POLICY != STRICT
    must_claim(sessions, work)
    copied = rows(sessions, "prediction")
    assert len(copied) == 2
    arrive(sessions, REF, stored(REF, "a", "b"))
    (again,) = open_rescoring(sessions, same, 10)
    must_claim(sessions, again)
    assert rows(sessions, "prediction") == copied
