"""Photos that were refused, judged again: in a new generation of their set, for verdicts stay as they are."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain import PhotoStatus, StoredObject
from db.dialect import insert_for
from db.models import Photo, PhotoSet
from db.session import transaction
from db.transactions.intake import new_photo, open_first_work
from db.transactions.queue import WorkKey, close_overtaken_work

REFUSED = (PhotoStatus.QUARANTINED, PhotoStatus.UNUSABLE)


@transaction
def judge_again(session: Session, set_id: int, photo_ids: Collection[int], now: datetime) -> tuple[WorkKey, ...]:
    """Forget what was learnt of those of `photo_ids` that are the set's, refused and in the store; the work to publish.

    Each gets a new row of the same version, not looked at yet, in a new generation of the set. Where there is no such
    photo nothing changes, so that asking twice judges once. Reviews stand: nothing new came in.
    """
    photo_set = session.get_one(PhotoSet, set_id, with_for_update=True)
    photos = session.scalars(
        select(Photo).where(
            Photo.set_id == set_id,
            Photo.id.in_(photo_ids),
            ~Photo.superseded,
            Photo.gone_reason.is_(None),
            Photo.status.in_(REFUSED),
        )
    ).all()
    if not photos:
        return ()
    for photo in photos:
        photo.superseded = True
    photo_set.generation += 1
    photo_set.last_change_at = now
    session.flush()  # old rows step back before the new ones take their place in the unique index
    versions = [StoredObject(photo.object_key, photo.size, photo.etag, photo.uploaded_at) for photo in photos]
    session.execute(insert_for(session, Photo), [new_photo(set_id, version) for version in versions])
    close_overtaken_work(session, set_id, photo_set.generation)
    return open_first_work(session, photo_set)
