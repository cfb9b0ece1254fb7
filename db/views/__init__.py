"""The reporting views, one .sql file each. An upgrade makes all of them anew, after the tables' migrations.

To add or change one: write its file, name it in `VIEWS`, and add a migration (an empty one will do) so that databases
already deployed are seen to need `walkaround db upgrade`.
"""

from collections.abc import Callable
from importlib.resources import files
from itertools import takewhile

from sqlalchemy import Connection

from core.reasons import Rule

# In the order they are made: a view stands after those it reads.
VIEWS = (
    "standing",
    "current_verdict",
    "return_status",
    "vehicle_verdict",
    "fleet_day",
    "review_queue",
    "damage",
    "new_damage",
    "quarantine",
    "backlog",
    "verdict_delay",
    "model_comparison",
    "override_rate",
    "miss_rate",
    "set_cost",
)

# All that the two databases write differently, as functions that a view's file calls. SQLite keeps times as text of
# fixed width (db.dialect), and its own date functions would round whole microseconds away.
_UNIX_MICROSECONDS = "(unixepoch(substr({0}, 1, 19)) * 1000000 + CAST(substr({0}, 21, 6) AS INTEGER))"


def _sqlite_seconds_between(start: str, end: str) -> str:
    return f"(({_UNIX_MICROSECONDS.format(end)} - {_UNIX_MICROSECONDS.format(start)}) / 1000000.0)"


_FUNCTIONS: dict[str, dict[str, Callable[..., str]]] = {
    "postgresql": {
        "seconds_since": "CAST(EXTRACT(EPOCH FROM now() - {0}) AS double precision)".format,
        "seconds_between": "CAST(EXTRACT(EPOCH FROM {1} - {0}) AS double precision)".format,
        "utc_day": "CAST({0} AT TIME ZONE 'UTC' AS date)".format,
    },
    "sqlite": {
        "seconds_since": "((julianday('now') - julianday({0})) * 86400.0)".format,
        "seconds_between": _sqlite_seconds_between,
        "utc_day": "substr({0}, 1, 10)".format,
    },
}


def view_query(name: str, dialect: str) -> str:
    """The SELECT behind the view `name`, as its file has it, written for `dialect`."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (only an upgrade makes views)

    files = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701  (SQL, never shown as HTML)
    return files.from_string(_source(name)).render(
        _FUNCTIONS[dialect], clear_but_for_loss=Rule.CLEAR_BUT_FOR_LOSS.value
    )


def view_comment(name: str) -> str:
    """What a row of the view `name` is: the comment that its file begins with."""
    lines = takewhile(lambda line: line.startswith("--"), _source(name).splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def create_views(connection: Connection) -> None:
    """Make every view; on PostgreSQL with the first sentence of its comment, which psql shows."""
    postgresql = connection.dialect.name == "postgresql"
    for name in VIEWS:
        query = view_query(name, connection.dialect.name)
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{query}")
        if postgresql:
            quoted = view_comment(name).partition(". ")[0].replace("'", "''")
            connection.exec_driver_sql(f"COMMENT ON VIEW {name} IS '{quoted}'")


def drop_views(connection: Connection) -> None:
    """Remove every view, so that migrations may change the tables beneath."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _source(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
