"""The tables of history: triggers keep every row of theirs as it was written."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from core.domain import ClosedBy, Label
from db.base import Base, Sha256, partial_index, reference, row_id
from db.dialect import RowId

INSERT_ONLY = ("prediction", "verdict", "review", "replay")


class Prediction(Base):
    """A model version's score of one photo content. `heatmap` is float16, little-endian, row by row.

    `vehicle_distance` is how far the photo's features lie from those of vehicles, where the model measures that.
    """

    __tablename__ = "prediction"

    content_sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    model_id: Mapped[int] = reference("model_version.id", primary_key=True)
    probability: Mapped[float]
    logit: Mapped[float]
    heatmap: Mapped[bytes | None]
    heatmap_rows: Mapped[int | None] = mapped_column(SmallInteger)
    heatmap_columns: Mapped[int | None] = mapped_column(SmallInteger)
    vehicle_distance: Mapped[float | None]
    created_at: Mapped[datetime]


class Verdict(Base):
    """The decision on one generation of a set by one model version, with all that it was made from.

    `sampled`: drawn at random into the audit sample, so that a person reviews it although it is clear.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        # What reports read of many verdicts lies in the index: the rows are wide with reasons.
        Index(
            "uq_verdict_set_id_generation_model_id",
            "set_id",
            "generation",
            "model_id",
            unique=True,
            postgresql_include=["id", "label", "score", "sampled", "device_seconds", "created_at"],
        ),
        Index(None, "model_id", "created_at"),
        partial_index(
            "ix_verdict_for_people", "model_id", "set_id", "generation", where="label = 'undecided' OR sampled"
        ),
        partial_index("ix_verdict_sampled", "model_id", "set_id", "generation", where="sampled AND label = 'clear'"),
    )

    id: Mapped[int] = row_id()
    set_id: Mapped[int] = reference("photo_set.id")
    generation: Mapped[int]
    model_id: Mapped[int] = reference("model_version.id")
    label: Mapped[Label]
    score: Mapped[float | None]
    closed_by: Mapped[ClosedBy]
    reasons: Mapped[dict[str, Any]]
    input_sha256: Mapped[str] = mapped_column(Sha256)
    device_seconds: Mapped[float]
    sampled: Mapped[bool]
    created_at: Mapped[datetime]


class Review(Base):
    """What a person decided of a set, and which generation and verdict they had before them.

    `seen_photos_sha256` (`core.review_line.photos_sha256`) names that generation in other databases, which count anew;
    it is set where the generation was the current one.
    """

    __tablename__ = "review"
    __table_args__ = (
        Index(None, "set_id", "seen_generation", "created_at", "id"),
        Index(None, "seen_verdict_id", "created_at", "id"),
        partial_index("ix_review_undecided", "set_id", where="label = 'undecided'"),
    )

    id: Mapped[int] = row_id()
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    set_id: Mapped[int] = reference("photo_set.id")
    seen_verdict_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("verdict.id"))
    seen_generation: Mapped[int]
    seen_photos_sha256: Mapped[str | None] = mapped_column(Sha256)
    label: Mapped[Label]
    reason_code: Mapped[str]
    reviewer: Mapped[str]
    boxes: Mapped[list[Any] | None]
    created_at: Mapped[datetime]


class Replay(Base):
    """A return that somebody had scored again from its generation `generation` on, and why.

    `photos` counts the refused photos that were decoded anew; where there are none its work had been given up.
    """

    __tablename__ = "replay"
    __table_args__ = (Index(None, "set_id"),)

    id: Mapped[int] = row_id()
    set_id: Mapped[int] = reference("photo_set.id")
    generation: Mapped[int]
    photos: Mapped[int]
    requested_by: Mapped[str]
    why: Mapped[str | None]
    created_at: Mapped[datetime]
