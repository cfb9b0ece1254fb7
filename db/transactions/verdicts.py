"""Finishing: stores what scoring learnt of a set's photos, and the verdict that follows from the stored rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from core.domain import Label, PhotoStatus
from core.errors import ModelUnusable
from core.phash_bits import BANDS, bands
from core.policy import Policy, is_sampled
from core.verdict import Decision
from db.dialect import insert_for
from db.history import Prediction, Verdict
from db.models import ModelVersion, Photo, PhotoSet, SetState
from db.photo_rows import PhotoRow
from db.session import Sessions, transaction
from db.transactions.absences import mark_gone
from db.transactions.decisions import DecisionInputs, stored_inputs
from db.transactions.queue import Claim, close_overtaken_work, close_work
from db.transactions.reuse import mark_reused
from db.transactions.set_dates import date_set

_LIKENESS = ("likeness", *(f"likeness_{band}" for band in range(BANDS)))  # the columns of a perceptual hash


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """The result of scoring one photo.

    `heatmap` is float16, little-endian, row by row, of `heatmap_shape` (rows, columns). Probability, logit and content
    hash are there exactly when the photo was scored. `taken_at` is aware. `phash` is its perceptual hash,
    the column `likeness`.
    `device_seconds` is the time that the model's device took for it.
    """

    photo_id: int
    status: PhotoStatus
    reason: str | None = None
    content_sha256: str | None = None
    width: int | None = None
    height: int | None = None
    taken_at: datetime | None = None
    quality: dict[str, float] | None = None
    probability: float | None = None
    logit: float | None = None
    heatmap: bytes | None = None
    heatmap_shape: tuple[int, int] | None = None
    phash: str | None = None
    vehicle_distance: float | None = None
    device_seconds: float = 0.0


class Finish(StrEnum):
    """VERDICT stored; FENCED: another claim holds the work; SUPERSEDED: the set's content has changed, no verdict."""

    VERDICT = "verdict"
    FENCED = "fenced"
    SUPERSEDED = "superseded"


def finish(
    sessions: Sessions,
    claim: Claim,
    results: Sequence[PhotoResult],
    policy: Policy,
    now: datetime,
    device_seconds: float,
) -> Finish:
    """Store the results and, from the rows as they then are, the verdict.

    The first prediction of a content and the first status of a photo stay, and a photo that is gone stays as it was:
    a verdict may stand on that. A photo found to be GONE reopens its set.

    Deciding on thousands of photos takes a while, so it is done before the set is locked, from what its rows should
    be then; only where they are otherwise it is done again. Raises `ModelUnusable` if `policy` is not the one that the
    model version was registered with.
    """
    foreseen = _foreseen_inputs(claim, results)
    return _store(sessions, claim, results, policy, now, device_seconds, foreseen, foreseen.decide(policy))


def _foreseen_inputs(claim: Claim, results: Sequence[PhotoResult]) -> DecisionInputs:
    """What the rows of the claimed set will say once `results` are stored, if nothing else changes them."""
    learnt = {result.photo_id: result for result in results}
    rows = [_with_result(photo, learnt.get(photo.photo_id)) for photo in claim.photos]
    return DecisionInputs(tuple(row.evidence() for row in rows), claim.closed_by, claim.missing, claim.model)


def _with_result(photo: PhotoRow, result: PhotoResult | None) -> PhotoRow:
    if result is None or photo.status is not PhotoStatus.SEEN or photo.gone_reason is not None:
        return photo
    return replace(
        photo,
        status=result.status,
        reason=result.reason,
        content_sha256=result.content_sha256,
        probability=result.probability,
        vehicle_distance=result.vehicle_distance,
        likeness=result.phash,
    )


@transaction
def _store(
    session: Session,
    claim: Claim,
    results: Sequence[PhotoResult],
    policy: Policy,
    now: datetime,
    device_seconds: float,
    foreseen: DecisionInputs,
    decision: Decision,
) -> Finish:
    """Store results and verdict; `decision` is what the inputs that were `foreseen` give."""
    model_id = claim.work.model_id
    photo_set = session.get_one(PhotoSet, claim.work.set_id, with_for_update=True)
    if not close_work(session, claim):
        return Finish.FENCED
    model = _model_with(session, model_id, policy)
    _store_predictions(session, model_id, results, now)
    _store_photos(session, results)
    mark_reused(session, photo_set.id, {result.photo_id: result.phash for result in results if result.phash})
    date_set(session, photo_set)
    if photo_set.generation != claim.work.generation:
        return Finish.SUPERSEDED
    if any(result.status is PhotoStatus.GONE for result in results):
        _reopen(session, photo_set, now)
        return Finish.SUPERSEDED
    inputs = stored_inputs(session, photo_set, model)
    if inputs != foreseen:
        decision = inputs.decide(policy)
    _store_verdict(session, photo_set, model, policy, decision, now, device_seconds)
    return Finish.VERDICT


def _model_with(session: Session, model_id: int, policy: Policy) -> ModelVersion:
    model = session.get_one(ModelVersion, model_id)
    if model.policy_sha256 != policy.sha256:
        raise ModelUnusable(
            f"model version {model_id} ({model.name}) was registered with another policy than this worker has; "
            "restart the worker with the policy of that version, or register a new one"
        )
    return model


def _store_predictions(session: Session, model_id: int, results: Sequence[PhotoResult], now: datetime) -> None:
    rows = {
        result.content_sha256: {
            "content_sha256": result.content_sha256,
            "model_id": model_id,
            "probability": result.probability,
            "logit": result.logit,
            "heatmap": result.heatmap,
            "heatmap_rows": result.heatmap_shape[0] if result.heatmap_shape else None,
            "heatmap_columns": result.heatmap_shape[1] if result.heatmap_shape else None,
            "vehicle_distance": result.vehicle_distance,
            "created_at": now,
        }
        for result in results
        if result.content_sha256 is not None and result.probability is not None
    }
    if rows:
        # In one order everywhere: two transactions with the same contents never wait for each other.
        ordered = [rows[content] for content in sorted(rows)]
        session.execute(insert_for(session, Prediction).on_conflict_do_nothing(), ordered)


def _store_photos(session: Session, results: Sequence[PhotoResult]) -> None:
    learnt = ("status", "reason", "content_sha256", "width", "height", "taken_at", "quality")
    gone = [result for result in results if result.status is PhotoStatus.GONE]
    rows: list[dict[str, Any]] = [
        {"row_id": result.photo_id, **{f"new_{name}": getattr(result, name) for name in learnt}, **_likeness(result)}
        for result in sorted(results, key=lambda result: result.photo_id)
        if result.status is not PhotoStatus.GONE
    ]
    if rows:
        statement = (
            update(Photo)
            .where(Photo.id == bindparam("row_id"), Photo.status == PhotoStatus.SEEN, Photo.gone_reason.is_(None))
            .values({name: bindparam(f"new_{name}") for name in (*learnt, *_LIKENESS)})
        )
        session.connection().execute(statement, rows)
    photos = [session.get_one(Photo, result.photo_id) for result in gone]
    mark_gone(session, [photo for photo in photos if photo.gone_reason is None])


def _likeness(result: PhotoResult) -> dict[str, str | int | None]:
    values = (result.phash, *(bands(result.phash) if result.phash else (None,) * BANDS))
    return {f"new_{name}": value for name, value in zip(_LIKENESS, values, strict=True)}


def _reopen(session: Session, photo_set: PhotoSet, now: datetime) -> None:
    """A photo was gone while its set was scored: the set waits for its next listing."""
    photo_set.generation += 1
    photo_set.last_change_at = now
    photo_set.state, photo_set.closed_by, photo_set.check_at = SetState.OPEN, None, now
    close_overtaken_work(session, photo_set.id, photo_set.generation)


def _store_verdict(
    session: Session,
    photo_set: PhotoSet,
    model: ModelVersion,
    policy: Policy,
    decision: Decision,
    now: datetime,
    device_seconds: float,
) -> None:
    is_clear = decision.label is Label.CLEAR
    row = {
        "set_id": photo_set.id,
        "generation": photo_set.generation,
        "model_id": model.id,
        "label": decision.label,
        "score": decision.score,
        "closed_by": photo_set.closed_by,
        "reasons": decision.reasons,
        "input_sha256": decision.input_sha256,
        "device_seconds": device_seconds,
        "sampled": is_clear and is_sampled(policy.audit, photo_set.set_key, photo_set.generation),
        "created_at": now,
    }
    session.execute(insert_for(session, Verdict).on_conflict_do_nothing(), [row])
