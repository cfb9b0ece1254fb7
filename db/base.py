"""What all tables share: how constraints are named, how Python's types are stored, how rows are numbered."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    Double,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.domain import AbsenceReason, ClosedBy, Label, ModelState, PhotoStatus, WorkState
from db.dialect import Json, RowId, UtcDateTime

Sha256 = String(64)


def words(enum: type[StrEnum], name: str) -> Enum:
    """Text restricted to the enum's values by a check constraint, the same on both databases."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda e: [m.value for m in e],
    )


def row_id() -> Mapped[int]:
    """A primary key that the database generates."""
    return mapped_column(RowId, Identity(), primary_key=True)


def reference(column: str, *, primary_key: bool = False) -> Mapped[int]:
    """A foreign key to a `row_id`."""
    return mapped_column(RowId, ForeignKey(column), primary_key=primary_key)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows only for which the condition holds."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


class Base(DeclarativeBase):
    """What all tables derive from."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        AbsenceReason: words(AbsenceReason, "gone_reason"),
        datetime: UtcDateTime,
        str: Text,
        int: Integer,
        float: Double,
        bool: Boolean,
        bytes: LargeBinary,
        dict[str, Any]: Json,
        dict[str, str]: Json,
        dict[str, int]: Json,
        dict[str, float]: Json,
        list[str]: Json,
        list[Any]: Json,
        ClosedBy: words(ClosedBy, "closed_by"),
        Label: words(Label, "label"),
        ModelState: words(ModelState, "state"),
        PhotoStatus: words(PhotoStatus, "status"),
        WorkState: words(WorkState, "state"),
    }
