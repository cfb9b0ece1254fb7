"""What was given up or refused is scored again, once its cause is mended; who asked for it, and why, is recorded."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain import ModelState, PhotoStatus, StoredObject
from db.dialect import database_now, insert_for
from db.history import Replay
from db.models import ModelVersion, Photo, PhotoSet, Queue, SetState
from db.session import transaction
from db.transactions.intake import new_photo
from db.transactions.queue import WorkKey, close_overtaken_work, open_work, revive_work


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Who wants something scored again, and why; `why` is for people."""

    requested_by: str
    why: str | None = None


@transaction
def replay_work(session: Session, work: WorkKey, request: ReplayRequest) -> bool:
    """Make work due again that was given up. False, and nothing recorded, if it is not given up (any more)."""
    if not revive_work(session, work):
        return False
    _record(session, work.set_id, work.generation, 0, request)
    return True


@transaction
def replay_photos(
    session: Session, set_id: int, keys: Collection[str], request: ReplayRequest, queue: Queue = Queue.RESCORE
) -> int:
    """Have refused photos decoded anew, as the next generation of the same content; how many of `keys` were refused.

    What is known of them stays, as of versions that were replaced, and so do verdict and reviews. Those that are gone
    from the store cannot be decoded and are left out. The work on `queue` is not published yet.
    """
    photo_set = session.get_one(PhotoSet, set_id, with_for_update=True)
    refused = session.scalars(
        select(Photo).where(
            Photo.set_id == set_id,
            Photo.object_key.in_(keys),
            ~Photo.superseded,
            Photo.gone_reason.is_(None),
            Photo.status.in_((PhotoStatus.QUARANTINED, PhotoStatus.UNUSABLE)),
        )
    ).all()
    if not refused:
        return 0
    for photo in refused:
        photo.superseded = True
    photo_set.generation += 1
    photo_set.last_change_at = session.scalars(select(database_now())).one()
    session.flush()  # old rows step back before the new ones take their place in the unique index
    session.execute(insert_for(session, Photo), [_again(photo) for photo in refused])
    close_overtaken_work(session, set_id, photo_set.generation)
    _open_work(session, photo_set, queue)
    _record(session, set_id, photo_set.generation, len(refused), request)
    return len(refused)


def _again(photo: Photo) -> dict[str, object]:
    return new_photo(photo.set_id, StoredObject(photo.object_key, photo.size, photo.etag, photo.uploaded_at))


def _open_work(session: Session, photo_set: PhotoSet, queue: Queue) -> None:
    model_id = session.scalar(select(ModelVersion.id).where(ModelVersion.state == ModelState.ACTIVE))
    if model_id is not None and photo_set.state is SetState.COMPLETE:
        work = WorkKey(photo_set.id, model_id, photo_set.generation)
        open_work(session, {work: queue}, published=False)


def _record(session: Session, set_id: int, generation: int, photos: int, request: ReplayRequest) -> None:
    now = session.scalars(select(database_now())).one()
    session.add(
        Replay(
            set_id=set_id,
            generation=generation,
            photos=photos,
            requested_by=request.requested_by,
            why=request.why,
            created_at=now,
        )
    )
