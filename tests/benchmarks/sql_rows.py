"""A million returns in PostgreSQL, by the statements of sql_rows.sql."""

from collections.abc import Iterable
from pathlib import Path

from rich.progress import track
from sqlalchemy import Engine, Index, text

from db.models import Base

_STATEMENTS = Path(__file__).with_name("sql_rows.sql").read_text(encoding="utf-8").split(";\n")
_STEP = 50_000  # sets a statement


def fill(engine: Engine, sets: int) -> None:
    """Make `sets` returns of ten photos each, and all that stands on them, in an empty database. Drops its indexes.

    The tables are made unlogged, and foreign keys are not checked: nothing here must survive a power cut.
    """
    tables = Base.metadata.sorted_tables
    _run(engine, *(f"ALTER TABLE {table.name} SET UNLOGGED" for table in reversed(tables)))
    drop_indexes(engine, (index for table in tables for index in table.indexes))
    steps = []
    for statement in filter(str.strip, _STATEMENTS):
        ranges = range(1, sets + 1, _STEP) if ":first" in statement else (1,)
        steps += [(statement, first) for first in ranges]
    for statement, first in track(steps, f"making {sets:,} returns"):
        values = {"sets": sets, "first": first, "last": first + _STEP - 1}
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(statement), wanted)


def drop_indexes(engine: Engine, indexes: Iterable[Index]) -> None:
    """Drop those of the indexes that are there."""
    _run(engine, *(f"DROP INDEX IF EXISTS {index.name}" for index in indexes))


def create_indexes(engine: Engine, indexes: Iterable[Index]) -> None:
    """Create the indexes."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for index in indexes:
            index.create(connection)


def analyze(engine: Engine) -> None:
    """Let the planner know the tables as they are, and index-only scans trust them."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("RESET statement_timeout"))


def _run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in statements:
            connection.execute(text(statement))


def copy_rows(source: Engine, target: Engine) -> None:
    """Copy every row of one database to another with the same, empty tables."""
    with source.connect() as reading, target.begin() as writing:
        reading.execute(text("SET idle_in_transaction_session_timeout = 0"))
        reading.execute(text("SET statement_timeout = 0"))
        streamed = reading.execution_options(yield_per=_STEP)
        for table in Base.metadata.sorted_tables:
            for rows in track(streamed.execute(table.select()).mappings().partitions(), f"copying {table.name}"):
                writing.execute(table.insert(), [dict(row) for row in rows])
