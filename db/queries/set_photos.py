"""The photos of sets, without their companions, with what a model version says of each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from core.domain import AbsenceReason, PhotoStatus
from core.errors import Refusal
from core.model.heatmap import decode_heatmap
from db.models import Photo, PhotoSet, Prediction, Vehicle
from db.photo_rows import prediction_that_counts
from db.session import snapshot


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """A current photo of a set and what one model version says of it; `heatmap` is float32 (rows, columns).

    `gone_reason` is None while the photo is in the store.
    """

    key: str
    etag: str
    status: PhotoStatus
    reason: str | None
    probability: float | None
    heatmap: NDArray[np.float32] | None
    width: int | None
    height: int | None
    gone_reason: AbsenceReason | None = None


@snapshot
def photos_of(session: Session, set_id: int, model_id: int) -> list[PhotoReport]:
    """The set's current photos in key order, with the model's prediction of each where there is one."""
    return _by_set(session, _current(model_id).where(Photo.set_id == set_id)).get(set_id, [])


@snapshot
def photos_of_sets(session: Session, set_ids: Sequence[int], model_id: int) -> dict[int, list[PhotoReport]]:
    """The same of several sets, by their ids, in one query."""
    return _by_set(session, _current(model_id).where(Photo.set_id.in_(set_ids)))


@snapshot
def photos_in_bucket(
    session: Session, bucket: str, model_id: int, fleet: str | None = None, vehicle: str | None = None
) -> dict[int, list[PhotoReport]]:
    """The same of all the bucket's sets, or those of one fleet or vehicle, in one query."""
    query = _current(model_id).join(PhotoSet, PhotoSet.id == Photo.set_id).where(PhotoSet.bucket == bucket)
    wanted = ((Vehicle.fleet, fleet), (Vehicle.vehicle_ref, vehicle))
    conditions: list[ColumnElement[bool]] = [column == value for column, value in wanted if value is not None]
    if conditions:
        query = query.join(Vehicle, Vehicle.id == PhotoSet.vehicle_id).where(*conditions)
    return _by_set(session, query)


def _current(model_id: int) -> Select[tuple[Photo, Prediction]]:
    return (
        select(Photo, Prediction)
        .outerjoin(Prediction, prediction_that_counts(model_id))
        .where(~Photo.superseded, Photo.reason.is_distinct_from(Refusal.COMPANION.value))
        .order_by(Photo.object_key)
    )


def _by_set(session: Session, query: Select[tuple[Photo, Prediction]]) -> dict[int, list[PhotoReport]]:
    found: dict[int, list[PhotoReport]] = defaultdict(list)
    for photo, prediction in session.execute(query):
        found[photo.set_id].append(
            PhotoReport(
                photo.object_key,
                photo.etag,
                photo.status,
                photo.reason,
                prediction.probability if prediction else None,
                _heatmap(prediction) if prediction else None,
                photo.width,
                photo.height,
                photo.gone_reason,
            )
        )
    return found


def _heatmap(prediction: Prediction) -> NDArray[np.float32] | None:
    if prediction.heatmap is None or prediction.heatmap_rows is None or prediction.heatmap_columns is None:
        return None
    return decode_heatmap(prediction.heatmap, (prediction.heatmap_rows, prediction.heatmap_columns))
