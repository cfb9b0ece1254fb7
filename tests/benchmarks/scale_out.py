"""One and two worker processes on the same cores, and what a return asks of broker, database and workers on its way.

A real deployment: PostgreSQL with its default durability, Valkey, `walkaround worker` processes with the shipped model,
and 12-megapixel photos in a folder, so that only our own work takes the cores. A second process on cores that one
keeps busy can win nothing; what is shown is that it costs nothing either and needs no arrangement. What a return asks
of the servers is what `make simulate` multiplies by fleets.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from redis import Redis
from sqlalchemy import make_url

from core.photoset import MARKER_NAME
from core.settings import Settings, load_settings
from tests.benchmarks.measured import Measured, Table, ratio, spread
from tests.benchmarks.photographs import photographs
from tests.databases import PostgreSQLServer, new_database, running_postgresql
from tests.integration.deployment import Deployment, deployment, wait_until
from workers import pipeline
from workers.app import held, make_app
from workers.context import activate_model

PHOTOS = 10  # in a set
WORKERS = (1, 2)
_POSTGRESQL = "-h '' -c max_connections=120"  # everything that makes it durable stays as it comes
_IDLE_SECONDS = 10.0
_START_SECONDS = 300.0
_WORK_SECONDS = 900.0

_numbers = count()


@dataclass(frozen=True, slots=True)
class Used:
    """What has been asked of the servers so far; CPU in seconds."""

    commands: int
    broker_cpu: float
    transactions: int
    wal_bytes: int
    database_cpu: float
    workers_cpu: float
    at: float

    def since(self, before: "Used") -> "Used":
        """The difference."""
        return Used(*(getattr(self, name) - getattr(before, name) for name in Used.__slots__))


class Site:
    """A deployment under measurement."""

    def __init__(self, system: Deployment, server: PostgreSQLServer, settings: Settings) -> None:
        self.system = system
        self.app = make_app(settings)
        self._server = server
        self._store = Path(settings.store)
        self._broker: Redis = Redis.from_url(settings.broker_url.get_secret_value())
        activate_model(settings, held(self.app).context.sessions)
        address = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql")
        self._database = psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)
        self._asked = 0  # by us, each a transaction that no return asked for

    def start(self, workers: int) -> None:
        """Start this many workers and wait until all have loaded the model."""
        for number in range(workers):
            self.system.start(f"worker-{number}", "worker", "--queues", "classify,rescore")
        wait_until(lambda: len(self.app.control.ping(timeout=2.0) or []) == workers, _START_SECONDS, self._last_words)

    def ring(self, photos: list[bytes], sets: int) -> list[int]:
        """Upload sets and take them in one by one, as events do; the ids of the sets."""
        context = held(self.app).context
        ids = []
        for _ in range(sets):
            number = next(_numbers)
            key = f"returns/fleet-{number % 5}/V{number % 97:03}/{number:06}/"
            folder = self._store / key
            folder.mkdir(parents=True)
            for position in range(PHOTOS):
                # Some bytes after a JPEG's end make it another content with the same pixels.
                data = photos[(number * PHOTOS + position) % len(photos)] + f"{number}/{position}".encode()
                (folder / f"{position:02}.jpg").write_bytes(data)
            (folder / MARKER_NAME).touch()
            ids.append(pipeline.ingest(context, pipeline.set_of(context, key)).set_id)
        return ids

    def finished(self, ids: list[int]) -> list[float]:
        """When each set's verdict was given, as seconds, in order; waits until all are there."""
        found: list[float] = []

        def all_there() -> bool:
            query = "SELECT extract(epoch FROM created_at) FROM verdict WHERE set_id >= %s ORDER BY created_at"
            found[:] = [float(at) for (at,) in self._ask(query, ids[0])]
            return len(found) >= len(ids)

        wait_until(all_there, _WORK_SECONDS, self._last_words)
        return found

    def used(self) -> Used:
        """The servers' own counts, and the CPU that the kernel counted."""
        commands = self._broker.info("stats")["total_commands_processed"]
        broker = self._broker.info("cpu")
        [(transactions, wal)] = self._ask(
            "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        postmaster = int((self._server.socket_folder / "data" / "postmaster.pid").read_text().split()[0])
        return Used(
            commands,
            broker["used_cpu_user"] + broker["used_cpu_sys"],
            transactions - self._asked,
            int(wal),
            _cpu_seconds(postmaster),
            sum(_cpu_seconds(process.pid) for process in self.system.processes.values()),
            time.monotonic(),
        )

    def row_bytes(self) -> int:
        """Tables and their indexes on disk."""
        [(size,)] = self._ask(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return int(size)

    def _ask(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        self._asked += 1
        return self._database.execute(query, values).fetchall()

    def _last_words(self) -> str:
        return "; ".join(self.system.log(name)[-300:] for name in self.system.processes) or "no worker is there"


def measure(small: bool) -> Measured:
    """Throughput with one and two worker processes, in turn, and what each return cost."""
    sets, rounds = (4, 1) if small else (30, 3)
    photos = list(photographs(2 if small else 8))
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    costs: dict[int, list[dict[str, float]]] = {workers: [] for workers in WORKERS}
    for _ in range(rounds):
        for workers in WORKERS:
            with _site() as site:
                rate, cost = _round(site, workers, photos, sets)
            rates[workers].append(rate)
            costs[workers].append(cost)
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
        "broker_ms": "the broker's CPU, ms",
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


def _round(site: Site, workers: int, photos: list[bytes], sets: int) -> tuple[float, dict[str, float]]:
    """Photos a second between the first and the last tenth of the verdicts; what a set cost."""
    site.start(workers)
    site.finished(site.ring(photos, 2 * workers))  # what is loaded on first use is loaded
    idle = site.used()
    time.sleep(_IDLE_SECONDS)
    waiting = site.used().since(idle)
    rows, before = site.row_bytes(), site.used()
    at = site.finished(site.ring(photos, sets))
    used = site.used().since(before)
    edge = max(1, sets // 10)
    rate = PHOTOS * (sets - 2 * edge) / (at[-1 - edge] - at[edge - 1]) if sets > 2 * edge else 0.0
    idle_commands = waiting.commands / waiting.at

    def beyond_idle(name: str) -> float:
        """Of a return; what idle servers and workers do anyway is taken off."""
        return max(0.0, float(getattr(used, name) - getattr(waiting, name) / waiting.at * used.at)) / sets

    return rate, {
        "commands": beyond_idle("commands"),
        "idle_commands_per_s": idle_commands / workers,
        "broker_ms": 1000 * beyond_idle("broker_cpu"),
        "transactions": beyond_idle("transactions"),
        "wal_kb": used.wal_bytes / sets / 1000,
        "database_ms": 1000 * beyond_idle("database_cpu"),
        "worker_ms": 1000 * beyond_idle("workers_cpu"),
        "rows_kb": (site.row_bytes() - rows) / sets / 1000,
    }


@contextmanager
def _site() -> Iterator[Site]:
    """Servers and a store of their own, gone after."""
    with (
        tempfile.TemporaryDirectory(prefix="wscale-") as folder,
        running_postgresql(_POSTGRESQL, within=tempfile.gettempdir()) as server,
        contextmanager(new_database)(server, "scale") as url,
        deployment(Path(folder) / "system", url, store=Path(folder) / "photos") as system,
    ):
        (Path(folder) / "photos").mkdir()
        given = {
            name.removeprefix("WALKAROUND_").lower(): value
            for name, value in system.environment.items()
            if name.startswith("WALKAROUND_")
        }
        yield Site(system, server, load_settings(**given))


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process, of the children it has and of those it has buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # ended since it was listed
        return 0.0
    own = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu_seconds(int(child)) for child in children)
