"""When a vehicle came back, kept beside its set so that reports need not read every photo."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.completeness import returned_at
from db.models import Photo, PhotoSet


def date_set(session: Session, photo_set: PhotoSet) -> None:
    """Bring the set's `returned_at` and `uploaded_at` to what its photos say, those that are gone among them.

    Part of a transaction.
    """
    photos = [
        (uploaded, taken)
        for uploaded, taken in session.execute(
            select(Photo.uploaded_at, Photo.taken_at).where(Photo.set_id == photo_set.id, ~Photo.superseded)
        )
    ]
    photo_set.returned_at = returned_at(photos) or photo_set.returned_at
    photo_set.uploaded_at = max((uploaded for uploaded, _ in photos), default=photo_set.uploaded_at)
