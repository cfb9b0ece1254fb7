"""The tables whose rows change. The words are those of docs and `core.domain`; history lies in `db.history`."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ColumnExpressionArgument,
    ForeignKey,
    Index,
    UniqueConstraint,
    cast,
    column,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.domain import AbsenceReason, ClosedBy, ModelState, PhotoStatus, WorkState
from db import history as history  # noqa: PLC0414  (with it, the metadata of `Base` is whole)
from db.base import Base as Base  # noqa: PLC0414
from db.base import Sha256, partial_index, reference, row_id, words
from db.dialect import KeyText, RowId, utc_day


class SetState(StrEnum):
    """OPEN until a rule says that the photos are all there; then COMPLETE."""

    OPEN = "open"
    COMPLETE = "complete"


class Queue(StrEnum):
    """CLASSIFY for a generation's first verdict, RESCORE for all others, which may wait."""

    CLASSIFY = "classify"
    RESCORE = "rescore"


class ModelVersion(Base):
    """Weights, preprocessing and policy together; a change to any of them is another version."""

    __tablename__ = "model_version"
    __table_args__ = (
        UniqueConstraint("weights_sha256", "preprocess_sha256", "policy_sha256"),
        partial_index("uq_model_version_active", "state", where="state = 'active'", unique=True),
    )

    id: Mapped[int] = row_id()
    name: Mapped[str]
    weights_sha256: Mapped[str] = mapped_column(Sha256)
    preprocess_sha256: Mapped[str] = mapped_column(Sha256)
    policy_sha256: Mapped[str] = mapped_column(Sha256)
    policy: Mapped[dict[str, Any]]
    state: Mapped[ModelState]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]


class PhotoStoreRecord(Base):
    """The one store whose photos this database keeps: a single row (`db.transactions.own_store`)."""

    __tablename__ = "photo_store"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(KeyText)
    recorded_at: Mapped[datetime]


class Vehicle(Base):
    """A vehicle of a fleet."""

    __tablename__ = "vehicle"
    __table_args__ = (UniqueConstraint("fleet", "vehicle_ref"),)

    id: Mapped[int] = row_id()
    fleet: Mapped[str] = mapped_column(KeyText)
    vehicle_ref: Mapped[str] = mapped_column(KeyText)


class PhotoSet(Base):
    """One return. `generation` counts its content; `check_at` is when an open set must be looked at again.

    `content_generation` is the generation that last brought something new: since then photos have only gone or come
    back, so that a review of it, or of a later one, still stands.

    `returned_at` is when the vehicle came back (`core.completeness.returned_at`), `uploaded_at` when the newest of its
    photos came; both are what its photos say, and when the set was first seen while there are none.
    """

    __tablename__ = "photo_set"
    __table_args__ = (
        UniqueConstraint("bucket", "set_key"),
        CheckConstraint("(state = 'complete') = (closed_by IS NOT NULL)", name="closed_when_complete"),
        partial_index("ix_photo_set_due", "check_at", where="state = 'open' AND check_at IS NOT NULL"),
        partial_index("ix_photo_set_complete", "id", "generation", where="state = 'complete'"),
        partial_index("ix_photo_set_changed", "id", "generation", where="generation > 1"),
        Index(None, "vehicle_id", "returned_at", "id"),
        Index(None, "returned_at"),
        Index("ix_photo_set_day", utc_day(column("returned_at"))),
    )

    id: Mapped[int] = row_id()
    vehicle_id: Mapped[int] = reference("vehicle.id")
    bucket: Mapped[str] = mapped_column(KeyText)
    set_key: Mapped[str] = mapped_column(KeyText)
    return_ref: Mapped[str]
    generation: Mapped[int]
    content_generation: Mapped[int] = mapped_column(server_default="1")
    state: Mapped[SetState] = mapped_column(words(SetState, "state"))
    closed_by: Mapped[ClosedBy | None]
    expected: Mapped[int | None]
    manifest: Mapped[dict[str, str] | None]
    manifest_sha256: Mapped[str | None] = mapped_column(Sha256)
    missing: Mapped[list[str]]
    note: Mapped[str | None]
    first_seen_at: Mapped[datetime]
    last_change_at: Mapped[datetime]
    returned_at: Mapped[datetime]
    uploaded_at: Mapped[datetime]
    check_at: Mapped[datetime | None]


# Written out, not with parameters, wherever the indexes of refused photos shall be used: SQLite must recognise it.
REFUSED = "NOT superseded AND status IN ('quarantined', 'unusable')"


def two_bands(
    first: ColumnExpressionArgument[int | None], second: ColumnExpressionArgument[int | None]
) -> ColumnElement[int]:
    """Two of a photo's bands, 16 bits each, as one number: without parameters, for indexes hold it."""
    return cast(first, BigInteger) * literal_column("65536") + second


class Photo(Base):
    """One version of one object. What is known of it is written once; a new version is a new row.

    `likeness` is its perceptual hash, `likeness_0` to `likeness_3` that hash's bands (`core.phash_bits.bands`);
    `reused_from` is the earlier return that holds the same photo. `absences` counts the listings in a row that did not
    show it; `gone_reason` is there once it is proved to be gone, and `kept_model_id` is the model version whose
    prediction counts from then on (db/transactions/absences.py).
    """

    __tablename__ = "photo"
    __table_args__ = (
        partial_index("uq_photo_live", "set_id", "object_key", where="NOT superseded", unique=True),
        partial_index("ix_photo_refused", "set_id", where=REFUSED),
        partial_index("ix_photo_refused_uploaded_at", "uploaded_at", where=REFUSED),
        Index("ix_photo_likeness_upper", two_bands(column("likeness_0"), column("likeness_1"))),
        Index("ix_photo_likeness_lower", two_bands(column("likeness_2"), column("likeness_3"))),
    )

    id: Mapped[int] = row_id()
    set_id: Mapped[int] = reference("photo_set.id")
    object_key: Mapped[str] = mapped_column(KeyText)
    etag: Mapped[str]
    size: Mapped[int] = mapped_column(RowId)
    uploaded_at: Mapped[datetime]
    content_sha256: Mapped[str | None] = mapped_column(Sha256, index=True)
    status: Mapped[PhotoStatus]
    reason: Mapped[str | None]
    taken_at: Mapped[datetime | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    quality: Mapped[dict[str, float] | None]
    likeness: Mapped[str | None] = mapped_column(Sha256)
    likeness_0: Mapped[int | None]
    likeness_1: Mapped[int | None]
    likeness_2: Mapped[int | None]
    likeness_3: Mapped[int | None]
    reused_from: Mapped[int | None] = mapped_column(RowId, ForeignKey("photo_set.id"))
    absences: Mapped[int]
    gone_reason: Mapped[AbsenceReason | None]
    kept_model_id: Mapped[int | None] = mapped_column(RowId)
    superseded: Mapped[bool]


class Work(Base):
    """A generation of a set that a model version must score: the queue, and the outbox of its messages.

    `last_published` is when the newest message that nobody has answered was sent, `publications` how many of them were.
    `attempts` counts claims that nobody has answered for; `failures` counts those given back with an error.
    `suspect_photo_id` is the photo that is being scored alone, so that a worker's crash can be attributed to it;
    `suspicions` counts the claims in a row that crashed with it: workers crash for other reasons too. `bugs` counts the
    failures with an unexpected error: an outage may fail a set any number of times, a bug only `max_attempts` times.
    """

    __tablename__ = "work"
    __table_args__ = (
        partial_index(
            "ix_work_due",
            *("queue", "model_id", "last_published", "created_at"),
            where="state IN ('pending', 'leased', 'dead')",
        ),
        partial_index("ix_work_dead", "created_at", where="state = 'dead'"),
    )

    set_id: Mapped[int] = reference("photo_set.id", primary_key=True)
    model_id: Mapped[int] = reference("model_version.id", primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[Queue] = mapped_column(words(Queue, "queue"))
    state: Mapped[WorkState]
    token: Mapped[int]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int]
    failures: Mapped[int]
    not_before: Mapped[datetime]
    last_published: Mapped[datetime | None]
    publications: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    suspect_photo_id: Mapped[int | None] = mapped_column(RowId)
    suspicions: Mapped[int] = mapped_column(server_default="0")
    bugs: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]


class ScanRun(Base):
    """One listing of a bucket and what it found; `counts` holds what has no column of its own.

    `alive_at` is when the scan last recorded that it is running.
    """

    __tablename__ = "scan_run"

    id: Mapped[int] = row_id()
    kind: Mapped[str]
    bucket: Mapped[str] = mapped_column(KeyText)
    prefix: Mapped[str] = mapped_column(KeyText)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    alive_at: Mapped[datetime | None]
    listed: Mapped[int | None]
    missing: Mapped[int | None]
    repaired: Mapped[int | None]
    counts: Mapped[dict[str, int] | None]
