"""What a set is decided from, as its rows say, on both databases."""

from core.domain import ClosedBy, Label, PhotoStatus
from db.models import ModelVersion, PhotoSet
from db.session import Sessions
from db.transactions.decisions import DecisionInputs, stored_inputs
from tests.photo_sets import POLICY, arrive, judge, register, set_ref, stored


def inputs_of(sessions: Sessions, set_id: int, model_id: int) -> DecisionInputs:
    with sessions() as session:
        return stored_inputs(session, session.get_one(PhotoSet, set_id), session.get_one(ModelVersion, model_id))


def test_the_inputs_are_the_rows_and_give_the_verdict(sessions: Sessions) -> None:
    model = register(sessions)
    work = arrive(sessions, set_ref(), stored(set_ref(), "b", "a")).opened[0]
    judge(sessions, work, 0.9, b=PhotoStatus.QUARANTINED)
    inputs = inputs_of(sessions, work.set_id, model)
    assert [(photo.key[-5:], photo.probability) for photo in inputs.evidence] == [("a.jpg", 0.9), ("b.jpg", None)]
    assert (inputs.closed_by, inputs.missing, inputs.model.name) == (ClosedBy.MARKER, (), "first")
    assert inputs.decide(POLICY).label is Label.DAMAGED
    assert inputs == inputs_of(sessions, work.set_id, model), "the same rows are the same inputs"
