"""Photos that are no longer in the store: what was known of them stays and counts, so that no verdict gets milder."""

from collections.abc import Collection

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.domain import AbsenceReason, ModelState
from db.history import Prediction
from db.models import ModelVersion, Photo


def mark_gone(session: Session, photos: Collection[Photo], reason: AbsenceReason = AbsenceReason.VANISHED) -> None:
    """Record that photos are gone from the store, each with the prediction that counts from now on.

    That is the active model's, else the latest: a model that comes later cannot score the photo. Part of a transaction.
    """
    for photo in photos:
        photo.gone_reason = reason
        photo.kept_model_id = session.scalar(_prediction_to_keep(photo.content_sha256))
    session.flush()


def mark_back(photo: Photo) -> None:
    """Record that a photo is in the store after all, in the version that is known. Part of a transaction."""
    photo.gone_reason, photo.kept_model_id = None, None


def _prediction_to_keep(content_sha256: str | None) -> Select[tuple[int]]:
    is_active = ModelVersion.state == ModelState.ACTIVE
    return (
        select(Prediction.model_id)
        .join(ModelVersion, ModelVersion.id == Prediction.model_id)
        .where(Prediction.content_sha256 == content_sha256)
        .order_by(is_active.desc(), Prediction.created_at.desc(), Prediction.model_id.desc())
        .limit(1)
    )
