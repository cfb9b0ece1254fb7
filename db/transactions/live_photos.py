"""A set's live photos, with what a model has said of them."""

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from core.domain import PhotoStatus
from db.models import Photo, PhotoSet, Prediction


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A live photo as stored; `probability` where this content already has a prediction of the claim's model.

    `reused_from` is the key of an earlier set that holds the same photo.
    """

    photo_id: int
    object_key: str
    etag: str
    status: PhotoStatus
    reason: str | None
    content_sha256: str | None
    probability: float | None
    size: int
    likeness: str | None = None
    vehicle_distance: float | None = None
    reused_from: str | None = None


def live_photos(session: Session, set_id: int, model_id: int) -> tuple[PhotoRow, ...]:
    """The set's current photos in key order, with the model's predictions of them. Part of a transaction."""
    prediction = and_(Prediction.content_sha256 == Photo.content_sha256, Prediction.model_id == model_id)
    earlier = aliased(PhotoSet)
    rows = session.execute(
        select(
            Photo.id,
            Photo.object_key,
            Photo.etag,
            Photo.status,
            Photo.reason,
            Photo.content_sha256,
            Prediction.probability,
            Photo.size,
            Photo.likeness,
            Prediction.vehicle_distance,
            earlier.set_key,
        )
        .outerjoin(Prediction, prediction)
        .outerjoin(earlier, earlier.id == Photo.reused_from)
        .where(Photo.set_id == set_id, ~Photo.superseded, Photo.status != PhotoStatus.GONE)
        .order_by(Photo.object_key)
    )
    return tuple(PhotoRow(*row) for row in rows)
