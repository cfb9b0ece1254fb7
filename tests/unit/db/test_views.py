"""Every view has a file, its file says what a row is, and it is written for both databases."""

from importlib.resources import files

import pytest

from core.reasons import Rule
from db.views import VIEWS, view_query


def test_every_file_is_a_view_and_every_view_a_file() -> None:
    found = {file.name.removesuffix(".sql") for file in files("db.views").iterdir() if file.name.endswith(".sql")}
    assert found == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_view_begins_by_saying_what_a_row_is(name: str, dialect: str) -> None:
    query = view_query(name, dialect)
    assert query.startswith("-- A row is ")
    assert "{{" not in query


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        ("postgresql", "CAST(EXTRACT(EPOCH FROM now() - MIN(w.created_at)) AS double precision)"),
        ("sqlite", "((julianday('now') - julianday(MIN(w.created_at))) * 86400.0)"),
    ],
)
def test_what_the_databases_write_differently_is_written_for_each(dialect: str, written: str) -> None:
    assert written in view_query("backlog", dialect)


def test_the_rule_of_what_was_lost_is_the_one_that_verdicts_store() -> None:
    assert f"'{Rule.CLEAR_BUT_FOR_LOSS.value}'" in view_query("standing", "sqlite")
