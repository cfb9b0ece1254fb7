"""All differences between PostgreSQL and SQLite.

They are in how values are stored, clocks are read, rows are upserted and thousands of values are sent.
"""

import json
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Float,
    Integer,
    String,
    Text,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

# SQLite only numbers rows by itself in a column declared exactly INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer(), "sqlite")

Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# Keys sort by their bytes everywhere, as a bucket's listing does; PostgreSQL would otherwise sort by language.
KeyText = Text().with_variant(Text(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC: `timestamptz` on PostgreSQL, ISO 8601 text of fixed width (so that it sorts) on SQLite.

    Raises ValueError for a naive datetime.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text of 27 characters on SQLite, `timestamptz` on PostgreSQL."""
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To UTC. Raises `ValueError` for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; give an aware datetime")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds").replace("+00:00", "Z") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """An aware datetime in UTC."""
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


class database_now(FunctionElement[datetime]):  # noqa: N801  (an SQL function, as in SQLAlchemy's own `now`)
    """The database's own clock at the start of the transaction, plus `delay`: what leases are measured by."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, delay: timedelta = timedelta(0)) -> None:
        super().__init__(literal(delay.total_seconds(), Float()))


@compiles(database_now, "postgresql")
def _postgresql_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(now() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    # The clock has milliseconds; padded to the microseconds of UtcDateTime so that text compares as time does.
    shift = f"printf('%+.3f seconds', {compiler.process(element.clauses, **kw)})"
    return f"(strftime('%Y-%m-%dT%H:%M:%f', 'now', {shift}) || '000Z')"


class utc_day(FunctionElement[date]):  # noqa: N801  (an SQL function)
    """The UTC day of a time, as the views' `utc_day` has it: a date on PostgreSQL, ISO 8601 text on SQLite."""

    type = Date()
    inherit_cache = True


@compiles(utc_day, "postgresql")
def _postgresql_day(element: utc_day, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(CAST({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC' AS date))"


@compiles(utc_day, "sqlite")
def _sqlite_day(element: utc_day, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 10)"


def is_one_of(session: Session, value: ColumnElement[int], wanted: Collection[int]) -> ColumnElement[bool]:
    """Whether a whole number is among those wanted, of which there may be thousands: they are sent as one value."""
    if session.get_bind().dialect.name == "postgresql":
        return value == any_(literal(sorted(wanted), ARRAY(BigInteger)))
    return value.in_(select(func.json_each(json.dumps(sorted(wanted))).table_valued("value").c.value))


def lock_until_commit(session: Session, name: str) -> None:
    """Let one transaction at a time pass here, among all that give this name; on SQLite there is never another one."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def insert_for(session: Session, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of the session's database."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
