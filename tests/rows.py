"""What a database holds, read as plain SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from db.models import Base
from db.session import Sessions, engine_of


def rows(sessions: Sessions, table: str) -> Sequence[Any]:
    """All rows of a table, as its first two columns order them."""
    with engine_of(sessions).connect() as connection:
        return connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).all()


def everything(sessions: Sessions) -> dict[str, Sequence[Any]]:
    """All rows of all tables."""
    return {table: rows(sessions, table) for table in Base.metadata.tables}


def view(sessions: Sessions, name: str) -> list[dict[str, Any]]:
    """All rows of a view, each by column."""
    with engine_of(sessions).connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2")).mappings()]
