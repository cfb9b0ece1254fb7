"""The reporting views, one .sql file each. An upgrade makes all of them anew, after the tables' migrations.

To add or change one: write its file, name it in `VIEWS`, and add a migration (an empty one will do) so that databases
already deployed are seen to need `walkaround db upgrade`.
"""

import re
from importlib.resources import files
from itertools import takewhile

from sqlalchemy import Connection

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

# All that the two databases spell differently, written as functions in a view's file. On SQLite times are text of fixed
# width (db.dialect), and whole microseconds keep what its own date functions would round away.
_COLUMN = r"([\w.]+)"
_UNIX_MICROSECONDS = r"(unixepoch(substr({0}, 1, 19)) * 1000000 + CAST(substr({0}, 21, 6) AS INTEGER))"
_SPELLINGS = {
    "postgresql": {
        r"seconds_since\(((?:[^()]|\([^()]*\))+)\)": r"CAST(EXTRACT(EPOCH FROM now() - \1) AS double precision)",
        rf"seconds_between\({_COLUMN}, {_COLUMN}\)": r"CAST(EXTRACT(EPOCH FROM \2 - \1) AS double precision)",
        rf"utc_day\({_COLUMN}\)": r"CAST(\1 AT TIME ZONE 'UTC' AS date)",
    },
    "sqlite": {
        r"seconds_since\(((?:[^()]|\([^()]*\))+)\)": r"((julianday('now') - julianday(\1)) * 86400.0)",
        rf"seconds_between\({_COLUMN}, {_COLUMN}\)": (
            f"(({_UNIX_MICROSECONDS.format(chr(92) + '2')} - {_UNIX_MICROSECONDS.format(chr(92) + '1')}) / 1000000.0)"
        ),
        rf"utc_day\({_COLUMN}\)": r"substr(\1, 1, 10)",
    },
}


def view_query(name: str, dialect: str) -> str:
    """The SELECT behind the view `name`, as its file has it, spelt for `dialect`."""
    query = _source(name)
    for pattern, spelling in _SPELLINGS[dialect].items():
        query = re.sub(pattern, spelling, query)
    return query


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
