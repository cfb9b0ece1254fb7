"""`make bench-sql`: the queries of docs/reporting.md, and those that workers ask, at a million returns.

Fills a PostgreSQL server of its own (no fsync, a gigabyte of shared memory), runs each query by EXPLAIN (ANALYZE)
without and with the indexes that were chosen for it, and prints both as a table, with what its plan reads; everything
is removed afterwards. With `--filled URL` it takes a database that is filled already. Without parallel workers, so that
one core's time is told. `--sqlite` copies the rows to a SQLite file and asks that instead, as it is.
"""

import argparse
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.errors import QueryCanceled
from rich.console import Console
from rich.progress import track
from sqlalchemy import Engine, Index, make_url, text

from db.models import Base
from db.session import make_engine, upgrade
from tests.benchmarks.sql_queries import documented_queries, reads, workers_queries
from tests.benchmarks.sql_rows import analyze, copy_rows, create_indexes, drop_indexes, fill
from tests.databases import running_postgresql

ROUNDS = 3  # with the chosen indexes; once without, which takes minutes
_LIMIT = "300s"  # of one query
_ACTIVE_MODEL = 2  # as sql_rows.sql has it
# What the measurements asked for. All other indexes hold a constraint, or are there for the workers' sake.
_CHOSEN = (
    "ix_photo_set_complete",
    "ix_photo_set_changed",
    "ix_photo_set_vehicle_id_returned_at_id",
    "ix_photo_set_returned_at",
    "ix_photo_set_day",
    "ix_photo_refused_uploaded_at",
    "ix_verdict_for_people",
    "ix_verdict_sampled",
    "ix_review_seen_verdict_id_created_at_id",
    "ix_review_undecided",
)
_OPTIONS = (
    "-h '' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c shared_buffers=1GB "
    "-c max_wal_size=8GB -c maintenance_work_mem=512MB"
)
# The page cost is that of SSDs; the default is that of disks that turn.
_SESSION = (
    "TIME ZONE 'UTC'",
    f"statement_timeout = '{_LIMIT}'",
    "jit = off",
    "random_page_cost = 1.1",
    "max_parallel_workers_per_gather = 0",
    "log_statement_stats = on",
    "client_min_messages = log",
)
_CPU = re.compile(r"([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed")


@dataclass(frozen=True, slots=True)
class Took:
    """The least CPU and elapsed milliseconds of a query's rounds, and what its plan reads (`sql_queries.reads`)."""

    cpu_ms: float
    elapsed_ms: float
    reads: tuple[str, ...]


Times = dict[str, Took | None]


def main() -> None:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sets", type=int, default=1_000_000)
    arguments.add_argument("--filled", help="the address of a database that an earlier run has filled")
    arguments.add_argument("--sqlite", action="store_true", help="measure SQLite; 100,000 sets are enough")
    wanted = arguments.parse_args()
    if wanted.filled:
        _measure(make_engine(wanted.filled), wanted.sets)
        return
    with running_postgresql(_OPTIONS, within=tempfile.gettempdir()) as server:
        server.run("CREATE DATABASE bench")
        engine = make_engine(server.url("bench"))
        upgrade(engine)
        fill(engine, wanted.sets)
        if wanted.sqlite:
            _measure_sqlite(engine)
            return
        create_indexes(engine, (index for table in Base.metadata.sorted_tables for index in table.indexes))
        analyze(engine)
        _measure(engine, wanted.sets)
        engine.dispose()


def _measure_sqlite(filled: Engine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/bench.sqlite")
        upgrade(engine)
        copy_rows(filled, engine)
        with engine.begin() as connection:
            connection.execute(text("ANALYZE"))
        for name, query in documented_queries().items():
            with engine.connect() as connection:
                started = time.process_time()
                connection.execute(text(query)).all()
                Console().print(f"| {name} | {1000 * (time.process_time() - started):,.0f} |", soft_wrap=True)


def _measure(engine: Engine, sets: int) -> None:
    queries = {**documented_queries(), **workers_queries(engine, _ACTIVE_MODEL)}
    chosen = [index for table in Base.metadata.sorted_tables for index in table.indexes if index.name in _CHOSEN]
    assert len(chosen) == len(_CHOSEN)
    indexed = _times(engine, queries, ROUNDS, "with the chosen indexes")
    before = _without(engine, chosen, queries)
    _print(sets, before, indexed)


def _without(engine: Engine, chosen: list[Index], queries: dict[str, str]) -> Times:
    drop_indexes(engine, chosen)
    try:
        return _times(engine, queries, 1, "without them")
    finally:
        create_indexes(engine, chosen)
        analyze(engine)


def _times(engine: Engine, queries: dict[str, str], count: int, title: str) -> Times:
    """What each query took; None where it was longer than `_LIMIT`."""
    address = make_url(engine.url).set(drivername="postgresql")
    times: Times = {}
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_detail or ""))
        for setting in _SESSION:
            connection.execute(f"SET {setting}".encode())
        for name, query in track(queries.items(), title):
            try:
                rounds = [_round(connection, notices, query) for _ in range(count)]
                times[name] = Took(
                    min(took.cpu_ms for took in rounds), min(took.elapsed_ms for took in rounds), rounds[-1].reads
                )
            except QueryCanceled:
                times[name] = None
    return times


def _round(connection: psycopg.Connection[Any], notices: list[str], query: str) -> Took:
    """Running the query once, as the server has it."""
    notices.clear()
    explained = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}".encode()).fetchone()
    assert explained is not None
    told = explained[0][0]
    user, system = next(found.groups() for notice in reversed(notices) if (found := _CPU.search(notice)))
    cpu_ms = 1000 * (float(user) + float(system))
    return Took(cpu_ms, float(told["Execution Time"]), tuple(sorted(reads(told["Plan"]))))


def _print(sets: int, before: Times, after: Times) -> None:
    lines = ["| question | before, ms | after, ms | reads |", "|---|---|---|---|"]
    for name, took in after.items():
        cells = [f"{one.cpu_ms:,.0f}" if one else f"over {_LIMIT}" for one in (before[name], took)]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {', '.join(took.reads) if took else ''} |")
    Console().print(f"{sets:,} returns; CPU time of one core\n")
    Console().print("\n".join(lines), soft_wrap=True)
    result = Path("build/bench-sql.json")
    result.parent.mkdir(exist_ok=True)
    told = {"sets": sets, "before": before, "after": after}
    result.write_text(json.dumps(told, indent=1, default=asdict), encoding="utf-8")


if __name__ == "__main__":
    main()
