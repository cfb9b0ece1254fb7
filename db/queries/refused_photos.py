"""Photos that the store refused to give, while it gave others."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from core.domain import PhotoStatus
from core.errors import Refusal
from db.models import Photo, PhotoSet
from db.session import snapshot

# Reasons that lie in the store and pass without the photo being changed.
_BY_STORE = (Refusal.ARCHIVED.value, Refusal.ACCESS_DENIED.value)


@dataclass(frozen=True, slots=True)
class RefusedPhoto:
    """A current photo that was quarantined because the store did not give it."""

    key: str
    etag: str


@snapshot
def photos_refused_by_store(session: Session, set_id: int) -> list[RefusedPhoto]:
    """Those of one set, in key order."""
    rows = session.execute(
        select(Photo.object_key, Photo.etag)
        .where(Photo.set_id == set_id, _refused_by_store())
        .order_by(Photo.object_key)
    )
    return [RefusedPhoto(key=row.object_key, etag=row.etag) for row in rows]


@snapshot
def sets_refused_by_store(session: Session, bucket: str, after: int, limit: int) -> list[int]:
    """The ids, above `after` and in order, of at most `limit` sets of a bucket that have such photos."""
    refused = select(Photo.set_id).where(Photo.set_id > after, _refused_by_store())
    query = select(PhotoSet.id).where(PhotoSet.bucket == bucket, PhotoSet.id.in_(refused))
    return list(session.scalars(query.order_by(PhotoSet.id).limit(limit)))


def _refused_by_store() -> ColumnElement[bool]:
    return and_(
        ~Photo.superseded,
        Photo.gone_reason.is_(None),
        Photo.status == PhotoStatus.QUARANTINED,
        Photo.reason.in_(_BY_STORE),
    )
