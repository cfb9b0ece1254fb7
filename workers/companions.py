"""Which files of a claimed set only belong to its photos: their names and their first bytes show it, together."""

from collections.abc import Sequence
from contextvars import copy_context

import structlog

from core.domain import PhotoStatus
from core.errors import InvalidKey, PhotoMissing, PhotoRefused, Refusal
from core.object_kinds import companions
from core.photos.formats import START_BYTES, is_picture
from db.transactions import Claim, PhotoResult, PhotoRow
from workers.context import Context, Scoring

log = structlog.get_logger(__name__)


def companion_results(
    context: Context, scoring: Scoring, claim: Claim, photos: Sequence[PhotoRow]
) -> list[PhotoResult]:
    """Results for those of `photos` that are companions; a picture under a companion's name is none.

    Only the first bytes of a few files are read. Raises `PhotoChanged` and other errors of the store.
    """
    names = companions(photo.object_key for photo in claim.photos)
    asked = [photo for photo in photos if photo.object_key in names]
    answers = [scoring.fetchers.submit(copy_context().run, _is_companion, context, photo) for photo in asked]
    return [
        PhotoResult(photo.photo_id, PhotoStatus.QUARANTINED, Refusal.COMPANION.value)
        for photo, answer in zip(asked, answers, strict=True)
        if answer.result()
    ]


def _is_companion(context: Context, photo: PhotoRow) -> bool:
    try:
        start = context.store.read_start(photo.object_key, START_BYTES, etag=photo.etag)
    except (PhotoMissing, PhotoRefused, InvalidKey):  # scoring finds the same, and knows what to do
        return False
    if is_picture(start):
        log.warning("picture_under_another_name", key=photo.object_key)
        return False
    return True
