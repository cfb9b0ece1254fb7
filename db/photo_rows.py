"""A set's current photos, each with the prediction that counts for it: what verdicts are made from, and made again."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy.orm import Session, aliased

from core.domain import AbsenceReason, PhotoStatus
from core.verdict import PhotoEvidence
from db.history import Prediction
from db.models import Photo, PhotoSet


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A current photo as stored; `probability` where its content already has a prediction that counts.

    `reused_from` is the key of an earlier set that holds the same photo. `gone_reason` is None while the photo is in
    the store.
    """

    set_id: int
    photo_id: int
    object_key: str
    etag: str
    size: int
    status: PhotoStatus
    reason: str | None
    content_sha256: str | None
    probability: float | None
    likeness: str | None
    vehicle_distance: float | None
    reused_from: str | None
    gone_reason: AbsenceReason | None

    def evidence(self) -> PhotoEvidence:
        """The photo as a verdict sees it: a prediction counts only where the photo itself was scored."""
        scored = self.status is PhotoStatus.OK
        return PhotoEvidence(
            key=self.object_key,
            status=self.status,
            content_sha256=self.content_sha256,
            reason=self.reason,
            probability=self.probability if scored else None,
            phash=self.likeness,
            vehicle_distance=self.vehicle_distance if scored else None,
            reused_from=self.reused_from,
            absence=self.gone_reason,
        )


def prediction_that_counts(model_id: int | None) -> ColumnElement[bool]:
    """Joins a photo to its prediction: by the model `model_id`, or, of a photo that is gone, the one that was kept."""
    counts = case((Photo.gone_reason.is_(None), model_id), else_=Photo.kept_model_id)
    return and_(Prediction.content_sha256 == Photo.content_sha256, Prediction.model_id == counts)


def photo_rows(session: Session, set_ids: Collection[int], model_id: int | None) -> dict[int, tuple[PhotoRow, ...]]:
    """The current photos of each set in key order, those that are gone among them. Part of a transaction."""
    earlier = aliased(PhotoSet)
    query = (
        select(
            Photo.set_id,
            Photo.id.label("photo_id"),
            Photo.object_key,
            Photo.etag,
            Photo.size,
            Photo.status,
            Photo.reason,
            Photo.content_sha256,
            Prediction.probability,
            Photo.likeness,
            Prediction.vehicle_distance,
            earlier.set_key.label("reused_from"),
            Photo.gone_reason,
        )
        .outerjoin(Prediction, prediction_that_counts(model_id))
        .outerjoin(earlier, earlier.id == Photo.reused_from)
        .where(Photo.set_id.in_(set_ids), ~Photo.superseded)
        .order_by(Photo.set_id, Photo.object_key)
    )
    found: dict[int, list[PhotoRow]] = defaultdict(list)
    for row in session.execute(query):
        found[row.set_id].append(PhotoRow(**row._mapping))
    return {set_id: tuple(found[set_id]) for set_id in set_ids}
