"""Photos that the store refused are judged again once it gives them: restored from an archive, or allowed since."""

import structlog

from core.errors import PhotoChanged, PhotoMissing, PhotoRefused
from db import queries, transactions
from db.models import Queue
from db.queries import RefusedPhoto
from db.transactions import ReplayRequest
from workers.backlog import publish_due
from workers.context import Context

log = structlog.get_logger(__name__)

PAGE = 500  # sets asked for at once
_REQUEST = ReplayRequest("walkaround", "the store gives a photo that it had refused")


def judge_refused_again(context: Context, set_id: int) -> bool:
    """Ask the store for each photo of the set that it refused; whether any is to be judged again now.

    One byte of each is asked for. Raises `StoreUnavailable`, and `StoreRefused` where the store refuses everything.
    """
    refused = queries.photos_refused_by_store(context.sessions, set_id)
    given = [photo.key for photo in refused if _is_given(context, photo)]
    if not given or not transactions.replay_photos(context.sessions, set_id, given, _REQUEST, Queue.CLASSIFY):
        return False
    publish_due(context)
    log.info("photos_judged_again", set_id=set_id, photos=len(given))
    return True


def judge_all_refused_again(context: Context) -> int:
    """The same for every set of the store; how many sets are judged again. A set that fails is named and left."""
    judged, after = 0, 0
    while page := queries.sets_refused_by_store(context.sessions, context.store.name, after, PAGE):
        for set_id in page:
            try:
                judged += judge_refused_again(context, set_id)
            except Exception as error:
                log.warning("set_not_judged_again", set_id=set_id, problem=f"{type(error).__name__}: {error}")
        after = page[-1]
    return judged


def _is_given(context: Context, photo: RefusedPhoto) -> bool:
    try:
        context.store.read_start(photo.key, 1, etag=photo.etag)
    except (PhotoRefused, PhotoMissing, PhotoChanged):
        return False
    return True
