"""Predictions that are copied: versions that only differ in their policy score photos alike."""

from sqlalchemy import and_, exists, literal, select
from sqlalchemy.orm import Session, aliased

from db.dialect import insert_for
from db.history import Prediction
from db.models import ModelVersion, Photo

_COPIED = [column.name for column in Prediction.__table__.columns if column.name != "model_id"]


def adopt_predictions(session: Session, set_id: int, model_id: int) -> None:
    """Copy the predictions of the set's photos by versions with the same weights and preprocessing.

    A version that only differs in its policy can then decide at once, from rows of its own. Part of a transaction.
    """
    own, sibling = session.get_one(ModelVersion, model_id), aliased(ModelVersion)
    same = and_(
        sibling.weights_sha256 == own.weights_sha256,
        sibling.preprocess_sha256 == own.preprocess_sha256,
        sibling.id != model_id,
    )
    siblings = session.scalars(select(sibling.id).where(same).order_by(sibling.id)).all()
    for other in siblings:
        contents = exists().where(
            Photo.set_id == set_id, ~Photo.superseded, Photo.content_sha256 == Prediction.content_sha256
        )
        theirs = (
            select(literal(model_id), *(getattr(Prediction, name) for name in _COPIED))
            .where(Prediction.model_id == other, contents)
            .order_by(Prediction.content_sha256)  # the same everywhere: no two transactions wait for each other
        )
        session.execute(
            insert_for(session, Prediction).from_select(["model_id", *_COPIED], theirs).on_conflict_do_nothing()
        )
