"""How the photos of one claimed set are scored: fetched and decoded side by side, batched with those of other sets."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import asdict

import structlog

from core.domain import Classifier, LoadedPhoto, PhotoStatus, Pixels, Score
from core.errors import InvalidKey, PhotoMissing, PhotoRefused, Refusal, StoreUnavailable
from core.keys import validate_key
from core.model.heatmap import encode_heatmap
from core.photos.usability import judge
from db import transactions
from db.transactions import Claim, PhotoResult, PhotoRow
from workers import metrics
from workers.companions import companion_results
from workers.context import Context, Scoring
from workers.lease import kept_lease

log = structlog.get_logger(__name__)

# Decoded photos of one set in memory at a time: of a whole worker so many for each of its sets in flight.
CHUNK = 16
# From this attempt on photos are scored one by one, so that the one that kills the worker is known by name.
ALONE_FROM_ATTEMPT = 3
# So many workers in a row must have crashed with the same photo alone in hand: crashes are usually unrelated.
QUARANTINE_AFTER_CRASHES = 3
# Statuses that another look with another model cannot change.
_SETTLED = (PhotoStatus.QUARANTINED, PhotoStatus.UNUSABLE)


class LeaseLost(Exception):
    """Another worker has taken the set over; the results are discarded."""


def score_set(context: Context, scoring: Scoring, claim: Claim) -> list[PhotoResult]:
    """Results for the photos that have none yet, chunk by chunk, while the lease is kept.

    Raises `LeaseLost`, `PhotoChanged` and other `Transient` errors.
    """
    todo = [photo for photo in claim.photos if _is_to_be_scored(photo)]
    alone = claim.attempts >= ALONE_FROM_ATTEMPT
    todo.sort(key=lambda photo: photo.photo_id != claim.suspect)  # the suspect first: is it the one?
    with kept_lease(context, claim) as lost:
        results = companion_results(context, scoring, claim, todo)
        beside = {result.photo_id for result in results}
        todo = [photo for photo in todo if photo.photo_id not in beside]
        for chunk in _chunks(todo, 1 if alone else CHUNK):
            results += (
                _score_alone(context, scoring, claim, chunk[0]) if alone else _score(context, scoring, claim, chunk)
            )
            if lost.is_set():
                raise LeaseLost
    for result in results:
        metrics.PHOTOS_SCORED.labels(status=result.status.value).inc()
    return results


def _is_to_be_scored(photo: PhotoRow) -> bool:
    return photo.gone_reason is None and photo.probability is None and photo.status not in _SETTLED


def _score_alone(context: Context, scoring: Scoring, claim: Claim, photo: PhotoRow) -> list[PhotoResult]:
    """Score one photo that workers may have died of; one that too many died with is not tried again."""
    if photo.photo_id == claim.suspect and claim.suspicions >= QUARANTINE_AFTER_CRASHES:
        detail = f"{claim.suspicions} workers in a row ended with it"
        return [_refused(photo, PhotoRefused(Refusal.CLASSIFIER_FAILED, detail))]
    transactions.mark_suspect(context.sessions, claim, photo.photo_id)
    return _score(context, scoring, claim, [photo])


def _chunks(photos: Sequence[PhotoRow], size: int) -> Iterator[Sequence[PhotoRow]]:
    for start in range(0, len(photos), size):
        yield photos[start : start + size]


def _score(context: Context, scoring: Scoring, claim: Claim, photos: Sequence[PhotoRow]) -> list[PhotoResult]:
    """Fetch and decode side by side, then score all that can be scored as one part of the device's batch."""
    pending: list[Future[PhotoResult | tuple[str, LoadedPhoto]]] = [
        # In a copy of this thread's context: the log lines of a fetch carry the ids of its set and task.
        scoring.fetchers.submit(copy_context().run, _fetch, context, scoring, claim, photo)
        for photo in photos
    ]
    try:
        fetched = [future.result() for future in pending]
    finally:
        for future in pending:
            future.cancel()
    loaded = [(photo, *item) for photo, item in zip(photos, fetched, strict=True) if isinstance(item, tuple)]
    scores = _classify(scoring.classifier, [item.views for _, _, item in loaded]) if loaded else []
    results = [item for item in fetched if isinstance(item, PhotoResult)]
    for (photo, sha256, item), score in zip(loaded, scores, strict=True):
        if isinstance(score, PhotoRefused):
            results.append(_refused(photo, score, sha256))
        else:
            results.append(_scored(photo, sha256, item, score))
    return results


def _classify(classifier: Classifier, photos: Sequence[Pixels]) -> list[Score | PhotoRefused]:
    """Scores in order; where the model cannot score one of the photos, each is tried alone to find which."""
    try:
        return list(classifier.classify(photos))
    except PhotoRefused as error:
        if len(photos) == 1:
            return [error]
        return [score for photo in photos for score in _classify(classifier, [photo])]


def _fetch(context: Context, scoring: Scoring, claim: Claim, photo: PhotoRow) -> PhotoResult | tuple[str, LoadedPhoto]:
    """One photo's content hash and pixels, or why it cannot be scored."""
    sha256 = photo.content_sha256
    try:
        validate_key(photo.object_key)
        blob = context.store.read(photo.object_key, max_bytes=context.settings.max_photo_bytes, etag=photo.etag)
        if len(blob.data) != photo.size:  # a cache or a proxy on the way cut it down and said nothing
            raise StoreUnavailable(f"{photo.object_key} came as {len(blob.data):,} of {photo.size:,} bytes")
        sha256 = blob.sha256
        if claim.manifest.get(photo.object_key, sha256) != sha256:
            raise PhotoRefused(Refusal.MANIFEST_MISMATCH)
        loaded = scoring.loader.load(blob.data, scoring.classifier.plan)
    except PhotoMissing:
        return PhotoResult(photo.photo_id, PhotoStatus.GONE, "it is no longer in the store")
    except InvalidKey as error:
        return _refused(photo, PhotoRefused(Refusal.INVALID_KEY, str(error)), sha256)
    except PhotoRefused as error:
        return _refused(photo, error, sha256)
    reason = judge(loaded.quality, loaded.width, loaded.height)
    if reason is not None:
        return _unusable(photo, sha256, loaded, reason)
    return sha256, loaded


def _refused(photo: PhotoRow, error: PhotoRefused, sha256: str | None = None) -> PhotoResult:
    log.warning("photo_quarantined", key=photo.object_key, reason=error.reason.value, detail=error.detail)
    return PhotoResult(photo.photo_id, PhotoStatus.QUARANTINED, error.reason.value, sha256)


def _unusable(photo: PhotoRow, sha256: str, loaded: LoadedPhoto, reason: str) -> PhotoResult:
    return PhotoResult(
        photo.photo_id,
        PhotoStatus.UNUSABLE,
        reason,
        sha256,
        width=loaded.width,
        height=loaded.height,
        taken_at=loaded.taken_at,
        quality=asdict(loaded.quality),
        phash=loaded.phash,
    )


def _scored(photo: PhotoRow, sha256: str, loaded: LoadedPhoto, score: Score) -> PhotoResult:
    heatmap, shape = encode_heatmap(score.heatmap)
    return PhotoResult(
        photo.photo_id,
        PhotoStatus.OK,
        None,
        sha256,
        width=loaded.width,
        height=loaded.height,
        taken_at=loaded.taken_at,
        quality=asdict(loaded.quality),
        probability=score.probability,
        logit=score.logit,
        heatmap=heatmap,
        heatmap_shape=shape,
        phash=loaded.phash,
        vehicle_distance=score.vehicle_distance,
        device_seconds=score.device_seconds,
    )
