"""SQLite and PostgreSQL, told the same, answer the same: every view, row by row and value by value."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from db import queries
from db.session import Sessions, make_sessions
from tests.fleet_history import tell, view_rows
from tests.photo_sets import BUCKET


def answers(sessions: Sessions) -> dict[str, Any]:
    return {
        **view_rows(sessions),
        "verdicts": queries.current_verdicts(sessions),
        "placed": [row.photos for row in queries.placed_photos(sessions, BUCKET, "")],
        "sets": list(queries.set_rows(sessions, BUCKET, "returns/")),
        "progress": queries.progress(sessions, BUCKET),
    }


def test_both_databases_give_the_same_answers(
    sqlite_url: str, postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> None:
    found = []
    for url in (sqlite_url, postgresql_url):
        sessions = make_sessions(make_test_engine(url))
        tell(sessions)
        found.append(answers(sessions))
    for name, answer in found[0].items():
        assert answer == found[1][name], name
        assert answer, f"nothing was told for {name} to show"
    statuses = {row["status"] for row in found[0]["return_status"]}
    assert statuses == {"clear", "damaged", "undecided", "open", "pending", "failed"}
    assert {row["why"] for row in found[0]["review_queue"]} == {
        "another look",
        "undecided",
        "second opinion",
        "audit sample",
    }
    assert {row["novelty"] for row in found[0]["damage"]} == {"new", "known", "no baseline"}
