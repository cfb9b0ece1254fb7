"""Times and keys mean the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect, make_url

from db.dialect import UtcDateTime

SQLITE: Dialect = make_url("sqlite://").get_dialect()()
POSTGRESQL: Dialect = make_url("postgresql+psycopg://").get_dialect()()

moments = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9998, 1, 1),
    timezones=st.timezones(),
)


@given(moments)
def test_sqlite_gives_back_the_moment_that_it_was_given(moment: datetime) -> None:
    column, dialect = UtcDateTime(), SQLITE
    kept = column.process_result_value(column.process_bind_param(moment, dialect), dialect)
    assert kept == moment.astimezone(UTC)


@given(moments, moments)
def test_texts_sort_as_moments_do(first: datetime, second: datetime) -> None:
    column, dialect = UtcDateTime(), SQLITE
    texts = [column.process_bind_param(moment, dialect) for moment in (first, second)]
    assert (texts[0] < texts[1]) == (first.astimezone(UTC) < second.astimezone(UTC))


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_a_naive_time_is_refused(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 23), dialect)


def test_postgresql_is_given_and_gives_utc() -> None:
    there = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=1)))
    column, dialect = UtcDateTime(), POSTGRESQL
    assert column.process_bind_param(there, dialect).tzinfo is UTC
    assert column.process_result_value(there, dialect) == there
