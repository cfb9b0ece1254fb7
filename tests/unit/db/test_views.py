"""Every view has a file, and its file says what a row is."""

from importlib.resources import files

import pytest

from db.views import VIEWS, view_query


def test_every_file_is_a_view_and_every_view_a_file() -> None:
    found = {file.name.removesuffix(".sql") for file in files("db.views").iterdir() if file.name.endswith(".sql")}
    assert found == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_view_begins_by_saying_what_a_row_is(name: str, dialect: str) -> None:
    query = view_query(name, dialect)
    assert query.startswith("-- A row is ")
    assert "seconds_since" not in query
