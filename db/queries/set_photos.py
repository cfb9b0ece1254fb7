"""The photos of sets, without their companions, with what a model version says of each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from core.domain import AbsenceReason, PhotoStatus
from core.errors import Refusal
from core.model.heatmap import decode_heatmap
from db.history import Prediction
from db.models import Photo
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


def is_current() -> ColumnElement[bool]:
    """Whether a photo is one of its set's current content, and no companion."""
    return and_(~Photo.superseded, Photo.reason.is_distinct_from(Refusal.COMPANION.value))


def _current(model_id: int) -> Select[tuple[Photo, Prediction]]:
    return (
        select(Photo, Prediction)
        .outerjoin(Prediction, prediction_that_counts(model_id))
        .where(is_current())
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
