"""One and two worker processes on the same cores, and what a return asks of broker, database and workers on its way.

A real deployment of each: PostgreSQL with its default durability, Valkey, `walkaround worker` processes with the
shipped model, and 12-megapixel photos in a folder, so that only our own work takes the cores. Both stand ready from the
start and work in turn. A second process on cores that one keeps busy can win nothing; what is shown is that it costs
nothing either and needs no arrangement. What a return asks of the servers is what `make simulate` multiplies by fleets.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from redis import Redis

from tests.benchmarks.deployed import PHOTOS, Deployed, cpu_seconds, deployed, durable_postgresql
from tests.benchmarks.measured import Measured, Table, ratio, spread
from tests.benchmarks.photographs import photographs
from tests.databases import PostgreSQLServer
from workers import pipeline
from workers.bootstrap import activate_configured_model

WORKERS = (1, 2)
_IDLE_SECONDS = 10.0
_WORK_SECONDS = 300.0
_SERVER_QUERY = """
SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') FROM pg_stat_database
WHERE datname = current_database()
"""
_ROWS_QUERY = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_VERDICTS_QUERY = """
SELECT extract(epoch FROM v.created_at) FROM verdict v JOIN photo_set s ON s.id = v.set_id
WHERE s.set_key LIKE :under ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What has been asked of the servers so far; CPU in seconds."""

    commands: float
    transactions: float
    wal_bytes: float
    database_cpu: float
    workers_cpu: float
    at: float

    def since(self, before: "Used") -> "Used":
        """The difference."""
        return Used(*(getattr(self, name) - getattr(before, name) for name in Used.__slots__))


class Site:
    """A deployment under measurement, its workers loaded and warm."""

    def __init__(self, server: PostgreSQLServer, site: Deployed, workers: int, photos: list[bytes]) -> None:
        self.workers = workers
        self._server, self._site, self._photos = server, site, photos
        self._broker: Redis = Redis.from_url(site.context.settings.broker_url.get_secret_value())
        self._rounds = count()
        activate_configured_model(site.context.settings, site.context.sessions)
        for number in range(workers):
            site.system.start(f"worker-{number}", "worker", "--queues", "classify,rescore")
        site.wait_for_workers()
        self.finish(2 * workers)  # what is loaded on first use is loaded
        self.idle = self._idle()

    def finish(self, sets: int) -> list[float]:
        """Upload sets and take them in one by one, as events do; when each verdict was given, as seconds, in order."""
        fleet, context = f"round-{next(self._rounds)}", self._site.context
        for number in range(sets):
            pipeline.ingest(context, pipeline.set_of(context, self._site.upload(fleet, number, self._photos)))
        self._site.wait_for_verdicts(fleet, sets, _WORK_SECONDS)
        return [float(at) for (at,) in self._site.ask(_VERDICTS_QUERY, under=f"returns/{fleet}/%")]

    def used(self) -> Used:
        """The servers' own counts, and the CPU that the kernel counted."""
        [(transactions, wal)] = self._site.ask(_SERVER_QUERY)
        return Used(
            self._broker.info()["total_commands_processed"],
            transactions,
            float(wal),
            cpu_seconds(self._server.pid),
            sum(cpu_seconds(process.pid) for process in self._site.system.processes.values()),
            time.monotonic(),
        )

    def row_bytes(self) -> int:
        """Tables and their indexes on disk."""
        [(size,)] = self._site.ask(_ROWS_QUERY)
        return int(size)

    def _idle(self) -> Used:
        before = self.used()
        time.sleep(_IDLE_SECONDS)
        return self.used().since(before)


def measure(small: bool) -> Measured:
    """Throughput with one and two worker processes, in turn, and what each return cost."""
    sets, rounds = (4, 1) if small else (20, 5)
    photos = list(photographs(2 if small else 8))
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    costs: dict[int, list[dict[str, float]]] = {workers: [] for workers in WORKERS}
    with ExitStack() as stack:
        sites = list(_sites(stack, photos))
        for _ in range(rounds):
            for site in sites:
                rate, cost = _round(site, sets)
                rates[site.workers].append(rate)
                costs[site.workers].append(cost)
    return _measured(rates, costs, sets)


def _sites(stack: ExitStack, photos: list[bytes]) -> Iterator[Site]:
    """One for each number of workers, with a server of its own: what it is asked is told apart by server."""
    for workers in WORKERS:
        server = stack.enter_context(durable_postgresql())
        yield Site(server, stack.enter_context(deployed(server, "scale")), workers, photos)


def _round(site: Site, sets: int) -> tuple[float, dict[str, float]]:
    """Photos a second between the first and the last tenth of the verdicts; what a set cost."""
    rows, before = site.row_bytes(), site.used()
    at = site.finish(sets)
    used = site.used().since(before)
    edge = max(1, sets // 10)
    rate = PHOTOS * (sets - 2 * edge) / (at[-1 - edge] - at[edge - 1])

    def beyond_idle(name: str) -> float:
        """Of a return; what idle servers and workers do anyway is taken off."""
        idle = getattr(site.idle, name) / site.idle.at
        return max(0.0, float(getattr(used, name) - idle * used.at)) / sets

    return rate, {
        "commands": beyond_idle("commands"),
        "idle_commands_per_s": site.idle.commands / site.idle.at / site.workers,
        "transactions": beyond_idle("transactions"),
        "wal_kb": used.wal_bytes / sets / 1000,
        "database_ms": 1000 * beyond_idle("database_cpu"),
        "worker_ms": 1000 * beyond_idle("workers_cpu"),
        "rows_kb": (site.row_bytes() - rows) / sets / 1000,
    }


def _measured(rates: dict[int, list[float]], costs: dict[int, list[dict[str, float]]], sets: int) -> Measured:
    figures = {name: spread([cost[name] for cost in costs[1]]).median for name in costs[1][0]}
    figures |= {f"photos_per_s_{workers}": spread(rates[workers]).median for workers in WORKERS}
    throughput = Table(
        ("worker processes", "photos/s", "CPU of a photo in the workers, ms"),
        [
            (workers, spread(rates[workers]), spread([cost["worker_ms"] / PHOTOS for cost in costs[workers]]))
            for workers in WORKERS
        ],
        f"{len(os.sched_getaffinity(0))} cores, the same for both; {sets} returns of {PHOTOS} photos in a run",
    )
    names = {
        "commands": "commands to the broker",
        "transactions": "transactions",
        "database_ms": "the database's CPU, ms",
        "wal_kb": "write-ahead log, kB",
        "idle_commands_per_s": "commands/s of a worker that waits",
    }
    asked = Table(
        ("of a return, with one worker", "median and range"),
        [(words, spread([cost[name] for cost in costs[1]])) for name, words in names.items()],
    )
    return Measured({"two_workers_vs_one": ratio(rates[2], rates[1])}, (throughput, asked), figures=figures)
