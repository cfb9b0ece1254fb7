"""Recorded reviews as lines that can be imported into any database."""

from collections.abc import Collection, Iterator

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from core.review_line import ReviewLine, VersionRef
from db.history import Review, Verdict
from db.models import ModelVersion, PhotoSet, Vehicle
from db.session import Sessions, snapshot

PAGE = 1000  # reviews read in one transaction


def review_lines(
    sessions: Sessions, bucket: str, fleet: str | None = None, vehicle: str | None = None
) -> Iterator[ReviewLine]:
    """Every review of the bucket's sets, of one fleet or vehicle where they are named, in the order they were made."""
    after = 0
    while page := _page(sessions, bucket, fleet, vehicle, after):
        after = page[-1][0]
        yield from (line for _, line in page)


@snapshot
def recorded_reviews(session: Session, keys: Collection[str]) -> list[ReviewLine]:
    """The reviews that are recorded under these keys, each as a line."""
    return [_line(row) for row in session.execute(_lines().where(Review.idempotency_key.in_(keys)))]


@snapshot
def latest_review(session: Session, bucket: str, set_key: str) -> ReviewLine | None:
    """The last decision on a set's current content, if there is one."""
    row = session.execute(
        _lines()
        .where(
            PhotoSet.bucket == bucket,
            PhotoSet.set_key == set_key,
            Review.seen_generation >= PhotoSet.content_generation,
        )
        .order_by(Review.seen_generation.desc(), Review.created_at.desc(), Review.id.desc())
        .limit(1)
    ).first()
    return _line(row) if row else None


@snapshot
def _page(
    session: Session, bucket: str, fleet: str | None, vehicle: str | None, after: int
) -> list[tuple[int, ReviewLine]]:
    query = _lines().where(PhotoSet.bucket == bucket, Review.id > after)
    wanted = ((Vehicle.fleet, fleet), (Vehicle.vehicle_ref, vehicle))
    query = query.where(*(column == value for column, value in wanted if value is not None))
    return [(row.Review.id, _line(row)) for row in session.execute(query.order_by(Review.id).limit(PAGE))]


def _lines() -> Select[tuple[Review, str, ModelVersion]]:
    return (
        select(Review, PhotoSet.set_key, ModelVersion)
        .join(PhotoSet, PhotoSet.id == Review.set_id)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .outerjoin(Verdict, Verdict.id == Review.seen_verdict_id)
        .outerjoin(ModelVersion, ModelVersion.id == Verdict.model_id)
    )


def _line(row: Row[tuple[Review, str, ModelVersion]]) -> ReviewLine:
    review, version = row.Review, row.ModelVersion
    return ReviewLine(
        key=review.idempotency_key,
        set_key=row.set_key,
        generation=review.seen_generation,
        photos_sha256=review.seen_photos_sha256,
        verdict_by=_ref(version) if version else None,
        label=review.label,
        reason_code=review.reason_code,
        reviewer=review.reviewer,
        boxes=review.boxes,
        reviewed_at=review.created_at,
    )


def _ref(version: ModelVersion) -> VersionRef:
    return VersionRef(
        name=version.name,
        weights_sha256=version.weights_sha256,
        preprocess_sha256=version.preprocess_sha256,
        policy_sha256=version.policy_sha256,
    )
