"""What `make bench-sql` asks: every query of docs/reporting.md, and what workers ask, each minute or of each return."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import ClientCursor
from sqlalchemy import Engine, event

from db.models import Queue
from db.session import Sessions, make_sessions
from db.transactions import due_work, open_rescoring, sets_due
from db.transactions.reuse import mark_reused

REPORTING = Path(__file__).parents[2] / "docs" / "reporting.md"
_QUERY = re.compile(r"^\*(?P<question>[^*\n]+)\*\n\n```sql\n(?P<sql>.*?);\n```", re.DOTALL | re.MULTILINE)


def documented_queries() -> dict[str, str]:
    """The SQL of each question in docs/reporting.md."""
    return {found["question"]: found["sql"] for found in _QUERY.finditer(REPORTING.read_text(encoding="utf-8"))}


def workers_queries(engine: Engine, active_model: int) -> dict[str, str]:
    """The first SELECT that each of the workers' questions sends, with its values in place."""
    questions: dict[str, Callable[[Sessions], Any]] = {
        "mark_reused": _search_for_ten,
        "due_work": lambda sessions: due_work(sessions, Queue.CLASSIFY, 500, timedelta(minutes=5)),
        "sets_due": lambda sessions: sets_due(sessions, datetime.now(UTC), 200),
        "open_rescoring": lambda sessions: open_rescoring(sessions, active_model, 100),
    }
    asked = {}
    for name, question in questions.items():
        with _selects(engine) as statements:
            question(make_sessions(engine))
        asked[name] = statements[0]
    return asked


def _search_for_ten(sessions: Sessions) -> None:
    photos = random.Random(0)
    with sessions() as session:
        mark_reused(session, 1, {number: f"{photos.getrandbits(256):064x}" for number in range(10)})


def reads(plan: dict[str, Any]) -> set[str]:
    """The indexes that a plan (of EXPLAIN in JSON) goes by, and `all of TABLE` for each table that it reads whole."""
    names = set().union(*(reads(part) for part in plan.get("Plans", ())))
    if "Index Name" in plan:
        names.add(plan["Index Name"])
    if plan["Node Type"] == "Seq Scan":
        names.add(f"all of {plan['Relation Name']}")
    return names


@contextmanager
def _selects(engine: Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def listen(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            statements.append(_literal(cursor, statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def _literal(cursor: Any, statement: str, parameters: Any) -> str:
    return str(ClientCursor(cursor.connection).mogrify(statement, parameters))
