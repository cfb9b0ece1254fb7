"""Reviews: what people decided. Rows are only ever added."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain import Label, ModelState
from core.errors import ReviewRefused
from core.review_line import ReviewLine, photos_sha256
from db.dialect import insert_for
from db.history import Review, Verdict
from db.models import ModelVersion, Photo, PhotoSet
from db.session import transaction

# A reviewer's clock may be a little fast; a time further in the future is a mistake.
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Content:
    """A set's current content: its generation here, and a hash of its photos that is the same in any database."""

    generation: int
    photos_sha256: str


@transaction
def add_review(  # noqa: PLR0913  (one column each)
    session: Session,
    *,
    idempotency_key: str,
    set_id: int,
    seen_verdict_id: int | None,
    seen_generation: int,
    label: Label,
    reason_code: str,
    reviewer: str,
    boxes: list[Any] | None = None,
    now: datetime,
) -> int:
    """Store a review; the same one sent again gives the same id.

    Raises `ReviewRefused` if the key was used for another decision, or if what the reviewer saw does not exist.
    """
    decision = {
        "set_id": set_id,
        "seen_verdict_id": seen_verdict_id,
        "seen_generation": seen_generation,
        "label": label,
        "reason_code": reason_code,
        "reviewer": reviewer,
        "boxes": boxes,
    }
    content = _content(session, set_id)
    _require_seen(session, set_id, content, seen_verdict_id, seen_generation)
    seen_photos = content.photos_sha256 if content and content.generation == seen_generation else None
    return _insert(session, idempotency_key, decision, seen_photos, now).id


@transaction
def import_reviews(
    session: Session, bucket: str, lines: Sequence[ReviewLine], now: datetime, *, restoring: bool = False
) -> list[bool | ReviewRefused]:
    """Store decisions on sets of `bucket`; a refused one does not affect the others.

    For each line: True where it was added, False where it was there already, or why it was refused. `restoring` keeps
    a decision also where the verdict that was seen is not there: its model may not serve any more.
    """
    outcomes: list[bool | ReviewRefused] = []
    for number, line in enumerate(lines):
        # Lines without a time keep their order by this: the later line is the one that counts.
        reviewed_at = now + timedelta(microseconds=number)
        try:
            outcomes.append(_import(session, bucket, line, reviewed_at, restoring=restoring))
        except ReviewRefused as error:
            outcomes.append(error)
    return outcomes


def _import(session: Session, bucket: str, line: ReviewLine, now: datetime, *, restoring: bool) -> bool:
    photo_set = session.scalar(select(PhotoSet).where(PhotoSet.bucket == bucket, PhotoSet.set_key == line.set_key))
    if photo_set is None:
        raise ReviewRefused(f"there is no return {line.set_key} in {bucket}; correct set_key, or scan first")
    if line.reviewed_at is not None and line.reviewed_at > now + _CLOCK_SKEW:
        raise ReviewRefused(f"reviewed_at {line.reviewed_at.isoformat()} lies in the future; correct it")
    decision: dict[str, Any] = {
        "set_id": photo_set.id,
        **line.model_dump(include={"label", "reason_code", "reviewer", "boxes"}),
    }
    known = session.scalar(select(Review).where(Review.idempotency_key == line.idempotency_key))
    if known is not None:
        _require_same(known, decision | _seen_by_name(line))
        return False
    content = _content(session, photo_set.id)
    assert content is not None, "the set is there"
    decision["seen_generation"] = _seen_generation(photo_set, content, line)
    try:
        decision["seen_verdict_id"] = _seen_verdict(session, photo_set.id, decision["seen_generation"], line)
    except ReviewRefused:
        if not restoring:
            raise
        decision["seen_verdict_id"] = None
    seen_photos = line.photos_sha256
    if decision["seen_generation"] == content.generation:
        seen_photos = content.photos_sha256
    _insert(session, line.idempotency_key, decision, seen_photos, line.reviewed_at or now)
    return True


def _content(session: Session, set_id: int) -> _Content | None:
    """Read in one statement, so that generation and photos match even if the set is ingested meanwhile."""
    live = (Photo.set_id == PhotoSet.id) & ~Photo.superseded & Photo.gone_reason.is_(None)
    query = select(PhotoSet.generation, Photo.object_key, Photo.etag).outerjoin(Photo, live)
    rows = session.execute(query.where(PhotoSet.id == set_id)).all()
    if not rows:
        return None
    return _Content(rows[0].generation, photos_sha256((row.object_key, row.etag) for row in rows if row.object_key))


def _seen_by_name(line: ReviewLine) -> dict[str, Any]:
    """How the line names the content that was seen: by its photos, else by its generation."""
    if line.photos_sha256 is not None:
        return {"seen_photos_sha256": line.photos_sha256}
    return {"seen_generation": line.generation} if line.generation is not None else {}


def _seen_generation(photo_set: PhotoSet, content: _Content, line: ReviewLine) -> int:
    """The generation here of the content that was seen; another database may have numbered it differently."""
    current = content.generation
    if line.photos_sha256 == content.photos_sha256:
        return current
    if line.photos_sha256 is not None and (line.generation is None or line.generation >= current):
        raise ReviewRefused(f"{line.set_key} holds other photos than those this was decided on; look at it again")
    if line.generation is not None:
        if line.generation > current:
            raise ReviewRefused(f"generation {line.generation} of {line.set_key} is not there; the latest is {current}")
        return line.generation
    if line.reviewed_at is not None and line.reviewed_at < photo_set.last_change_at:
        raise ReviewRefused(
            f"the photos of {line.set_key} changed after this was decided; look again, or name the generation "
            f"(the latest is {current})"
        )
    return current


def _seen_verdict(session: Session, set_id: int, generation: int, line: ReviewLine) -> int | None:
    """The verdict that the reviewer saw: by the version that the line names, else by the active one."""
    if line.names_verdict and line.verdict_by is None:
        return None
    query = select(Verdict.id).join(ModelVersion, ModelVersion.id == Verdict.model_id)
    query = query.where(Verdict.set_id == set_id, Verdict.generation == generation)
    if line.verdict_by is None:
        return session.scalar(query.where(ModelVersion.state == ModelState.ACTIVE))
    found = session.scalar(query.filter_by(**line.verdict_by.model_dump(exclude={"name"})))
    if found is None:
        raise ReviewRefused(
            f"{line.verdict_by.name} gave no verdict on generation {generation} of {line.set_key} here; have it score "
            "the return first, or take verdict_by out"
        )
    return found


def _insert(session: Session, key: str, decision: dict[str, Any], seen_photos: str | None, at: datetime) -> Review:
    row = {"idempotency_key": key, **decision, "seen_photos_sha256": seen_photos, "created_at": at}
    session.execute(insert_for(session, Review).on_conflict_do_nothing(), [row])
    stored = session.scalars(select(Review).where(Review.idempotency_key == key)).one()
    _require_same(stored, decision)
    return stored


def _require_same(stored: Review, decision: dict[str, Any]) -> None:
    if any(getattr(stored, name) != value for name, value in decision.items()):
        raise ReviewRefused(
            f"review key {stored.idempotency_key!r} is taken by another decision; send this one with its own key"
        )


def _require_seen(
    session: Session, set_id: int, content: _Content | None, verdict_id: int | None, generation: int
) -> None:
    if content is None or not 0 < generation <= content.generation:
        raise ReviewRefused(f"there is no generation {generation} of set {set_id}; reload the page and decide again")
    verdict = session.get(Verdict, verdict_id) if verdict_id is not None else None
    if verdict_id is not None and (verdict is None or (verdict.set_id, verdict.generation) != (set_id, generation)):
        raise ReviewRefused(
            f"verdict {verdict_id} is not on generation {generation} of set {set_id}; reload the page and decide again"
        )
