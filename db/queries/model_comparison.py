"""Compares two model versions on the same sets, also with what people decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from core.domain import Label
from db.history import Prediction, Review, Verdict
from db.models import PhotoSet, Vehicle
from db.session import snapshot


@dataclass(frozen=True, slots=True)
class ComparedSet:
    """A set that two versions judged; `reviewed` is a person's decision on the same content, if there is one."""

    set_id: int
    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    first: Label
    first_score: float | None
    first_reasons: dict[str, Any]
    second: Label
    second_score: float | None
    second_reasons: dict[str, Any]
    reviewed: Label | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How often two versions gave which labels: (first, second) -> sets, over the sets that both judged.

    `reviewed` counts those a person decided as damaged or clear, `first_right` and `second_right` how many of them each
    version called so. `only_first` and `only_second` are sets that one of them has judged so far. `photos` have a
    probability from both; `mean_shift` and `largest_shift` are of the difference between the two.
    """

    pairs: dict[tuple[Label, Label], int]
    only_first: int
    only_second: int
    reviewed: int
    first_right: int
    second_right: int
    photos: int
    mean_shift: float | None
    largest_shift: float | None

    @property
    def sets(self) -> int:
        """Returns that both versions have judged."""
        return sum(self.pairs.values())

    @property
    def changed(self) -> int:
        """Returns to which they give different verdicts."""
        return sum(count for (first, second), count in self.pairs.items() if first is not second)


@snapshot
def compare_models(session: Session, bucket: str, first: int, second: int, fleet: str | None = None) -> Comparison:
    """The two versions' verdicts on the current content of the bucket's sets, counted."""
    a, b = aliased(Verdict), aliased(Verdict)
    each = (
        _pairs(a, b, bucket, first, second, fleet)
        .with_only_columns(a.label.label("label"), b.label.label("other"), _reviewed().label("reviewed"))
        .subquery()
    )
    kinds = (each.c.label, each.c.other, each.c.reviewed)
    pairs: dict[tuple[Label, Label], int] = {}
    reviewed = first_right = second_right = 0
    for row in session.execute(select(*kinds, func.count().label("sets")).group_by(*kinds)):
        pairs[row.label, row.other] = pairs.get((row.label, row.other), 0) + row.sets
        if row.reviewed in (Label.DAMAGED, Label.CLEAR):
            reviewed += row.sets
            first_right += row.sets if row.label == row.reviewed else 0
            second_right += row.sets if row.other == row.reviewed else 0
    photos, mean, largest = _shift(session, first, second)
    return Comparison(
        pairs,
        _judged_by_one(session, bucket, first, second, fleet),
        _judged_by_one(session, bucket, second, first, fleet),
        reviewed,
        first_right,
        second_right,
        photos,
        mean,
        largest,
    )


@snapshot
def changed_verdicts(
    session: Session, bucket: str, first: int, second: int, fleet: str | None = None, limit: int | None = None
) -> list[ComparedSet]:
    """The sets that the two versions label differently, those whose score moved most first."""
    a, b = aliased(Verdict), aliased(Verdict)
    moved = func.abs(func.coalesce(a.score, 0.0) - func.coalesce(b.score, 0.0))
    query = (
        _pairs(a, b, bucket, first, second, fleet)
        .where(a.label != b.label)
        .order_by(moved.desc(), PhotoSet.set_key)
        .limit(limit)
        .with_only_columns(
            *(PhotoSet.id.label("set_id"), PhotoSet.set_key, PhotoSet.return_ref),
            *(Vehicle.fleet, Vehicle.vehicle_ref.label("vehicle")),
            *(a.label.label("first"), a.score.label("first_score"), a.reasons.label("first_reasons")),
            *(b.label.label("second"), b.score.label("second_score"), b.reasons.label("second_reasons")),
            _reviewed().label("reviewed"),
        )
    )
    return [ComparedSet(**row._mapping) for row in session.execute(query)]


def _pairs(
    a: type[Verdict], b: type[Verdict], bucket: str, first: int, second: int, fleet: str | None
) -> Select[tuple[int]]:
    return (
        select(PhotoSet.id)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .join(a, _verdict_of(a, first))
        .join(b, _verdict_of(b, second))
        .where(PhotoSet.bucket == bucket, *_in_fleet(fleet))
    )


def _verdict_of(verdict: type[Verdict], model_id: int) -> ColumnElement[bool]:
    """On the set's current content."""
    current = and_(verdict.set_id == PhotoSet.id, verdict.generation == PhotoSet.generation)
    return and_(current, verdict.model_id == model_id)


def _in_fleet(fleet: str | None) -> Sequence[ColumnElement[bool]]:
    return () if fleet is None else (Vehicle.fleet == fleet,)


def _reviewed() -> ColumnElement[Label | None]:
    """The latest review of the set's current content."""
    return (
        select(Review.label)
        .where(Review.set_id == PhotoSet.id, Review.seen_generation >= PhotoSet.content_generation)
        .order_by(Review.seen_generation.desc(), Review.created_at.desc(), Review.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _judged_by_one(session: Session, bucket: str, model_id: int, other: int, fleet: str | None) -> int:
    a, b = aliased(Verdict), aliased(Verdict)
    query = (
        select(func.count())
        .select_from(PhotoSet)
        .join(Vehicle, Vehicle.id == PhotoSet.vehicle_id)
        .join(a, _verdict_of(a, model_id))
        .where(PhotoSet.bucket == bucket, *_in_fleet(fleet), ~exists().where(_verdict_of(b, other)))
    )
    return session.scalar(query) or 0


def _shift(session: Session, first: int, second: int) -> tuple[int, float | None, float | None]:
    a, b = aliased(Prediction), aliased(Prediction)
    shift = func.abs(a.probability - b.probability)
    figures = (func.count().label("photos"), func.avg(shift).label("mean"), func.max(shift).label("largest"))
    query = select(*figures).select_from(a)
    row = session.execute(
        query.join(b, a.content_sha256 == b.content_sha256).where(a.model_id == first, b.model_id == second)
    ).one()
    return row.photos, row.mean, row.largest
