"""docs/reporting.md says what is so: its columns, its words, its queries, on both databases."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, make_url

from db.session import Sessions, engine_of, make_sessions
from db.views import VIEWS
from tests.fleet_history import query_rows, tell

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reporting.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###? )", DOCUMENT, re.DOTALL | re.MULTILINE))
QUERIES = re.findall(r"^\*[^*\n]+\*\n\n```sql\n(.*?);\n```", DOCUMENT, re.DOTALL | re.MULTILINE)
WORDS = DOCUMENT.partition("## Words")[2].partition("\n## ")[0]


def explained(section: str) -> set[str]:
    """The columns that the tables of a section name in their first column."""
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_view_is_described_and_every_query_is_found() -> None:
    assert set(SECTIONS) == set(VIEWS)
    assert len(QUERIES) == DOCUMENT.count("```sql") - 1, "all but the administrator's"
    read = {view for view in VIEWS if any(re.search(rf"\bFROM {view}\b", query) for query in QUERIES)}
    assert read == set(VIEWS) - {"standing"}


def test_the_columns_are_those_of_the_views(sqlite_url: str, make_test_engine: Callable[..., Engine]) -> None:
    inspector = inspect(make_test_engine(sqlite_url))
    for view, section in SECTIONS.items():
        (line,) = re.findall(r"^Columns: (.*?)\n\n", section, re.DOTALL | re.MULTILINE)
        columns = [column["name"] for column in inspector.get_columns(view)]
        assert re.findall(r"`(\w+)`", line) == columns, view
        own = explained(section)
        inherited = explained(SECTIONS["damage"]) if view == "new_damage" else set()  # as its text says
        assert set(columns) <= own | inherited | explained(WORDS), f"{view} has columns that nobody explains"
        assert own <= set(columns), f"{view} explains columns that it has not"


@pytest.fixture
def both(sqlite_url: str, postgresql_url: str, make_test_engine: Callable[..., Engine]) -> tuple[Sessions, Sessions]:
    sqlite, postgresql = (make_sessions(make_test_engine(url)) for url in (sqlite_url, postgresql_url))
    for sessions in (sqlite, postgresql):
        tell(sessions)
    return sqlite, postgresql


def test_every_query_answers_and_both_databases_alike(both: tuple[Sessions, Sessions]) -> None:
    for query in QUERIES:
        sqlite, postgresql = (rounded(query_rows(sessions, query)) for sessions in both)
        assert sqlite == postgresql, query
        assert sqlite, f"nothing was told for it to show: {query}"
    assert {make_url(engine_of(sessions).url).get_backend_name() for sessions in both} == {"sqlite", "postgresql"}


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums of floats depend on the order of their parts: in the last digit."""
    return [
        {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()} for row in rows
    ]
