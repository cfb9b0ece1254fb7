"""What a photo costs besides its decoding and its model: queue, SQL and bookkeeping, in CPU time of all processes.

A real worker process, PostgreSQL and Valkey do everything to tiny photos in a folder, with a decoder and a network that
cost nothing (free_worker.py), and the CPU time of each process is read before and after. The same sets handled in this
process without a queue, and their photos handled without SQL too, say which part is whose. Beside it stand decoding
and network on photos of 12 megapixels, in the same run.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import redis
from sqlalchemy import text

from core.domain import ViewPlan
from core.model.artefact import open_artefact
from core.model.engine import load_engine
from core.model.inference import BatchingClassifier
from core.photos.decode import load_photo
from core.settings import SHIPPED_MODEL, Settings, load_settings
from db import repositories
from db.session import Sessions
from tests.benchmarks.free_worker import free_scoring
from tests.benchmarks.measured import BUILD, Measured, Spread, Table, spread
from tests.benchmarks.photographs import photographs
from tests.databases import new_database, running_postgresql
from tests.integration.deployment import Deployment, deployment, wait_until
from workers import pipeline
from workers.app import held, make_app
from workers.context import Context, Scoring
from workers.scoring import score_photos

PHOTOS = 10  # a set
WARM_UP = 5  # sets
_OPTIONS = "-h '' -c shared_buffers=256MB"  # durable, as in production
RESULT = BUILD / "overhead.json"
Step = dict[str, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    sets: int
    rounds: int
    photographs: int


def measure(small: bool) -> Measured:
    """See `tests.benchmarks`."""
    size = Size(10, 1, 2) if small else Size(300, 5, 8)
    with tempfile.TemporaryDirectory() as folder, running_postgresql(_OPTIONS, within="/tmp") as server:
        first, second = (new_database(server, name) for name in ("queued", "plain"))
        postmaster = int((server.socket_folder / "data" / "postmaster.pid").read_text().split()[0])
        queued = list(_through_the_queue(Path(folder) / "queued", next(first), postmaster, size))
        plain = list(_without_a_queue(Path(folder) / "plain", next(second), size))
    return _measured(_photo_costs(size), queued, plain)


def _through_the_queue(folder: Path, url: str, postmaster: int, size: Size) -> Iterator[Step]:
    """CPU milliseconds a photo by process, from the listing to the verdict."""
    with _system(folder, url) as (system, context):
        free_scoring(context.settings, context.sessions)  # without an active model no work would be opened
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.benchmarks.free_worker", "worker", "--queues", "classify"]
            system.processes["worker"] = subprocess.Popen(command, env=system.environment, stdout=log, stderr=log)
        broker = redis.Redis.from_url(system.environment["WALKAROUND_BROKER_URL"]).info()["process_id"]
        watched = {"worker": system.processes["worker"].pid, "server": postmaster, "broker": broker}
        _make_sets(folder, "warm-up", WARM_UP)
        pipeline.scan(context)
        _wait_for_verdicts(context.sessions, WARM_UP)
        for number in range(size.rounds):
            _make_sets(folder, f"round-{number}", size.sets)
            before, started = {name: _cpu(process) for name, process in watched.items()}, time.process_time()
            pipeline.scan(context)
            scanned = time.process_time() - started
            _wait_for_verdicts(context.sessions, WARM_UP + (number + 1) * size.sets)
            spent = {"scan": scanned} | {name: _cpu(process) - before[name] for name, process in watched.items()}
            yield {name: 1000 * seconds / (size.sets * PHOTOS) for name, seconds in spent.items()}


def _without_a_queue(folder: Path, url: str, size: Size) -> Iterator[Step]:
    """The same sets in this process: half of them with SQL, and the photos of the others alone."""
    with _system(folder, url) as (_, context):
        scoring = free_scoring(context.settings, context.sessions)
        for number in range(size.rounds):
            _make_sets(folder, f"round-{number}", size.sets)
            pipeline.scan(context)
            due = [work for work, _ in repositories.due_work(context.sessions, size.sets, timedelta(seconds=-1))]
            some, others = due[: size.sets // 2], due[size.sets // 2 :]
            started = time.process_time()
            for work in some:
                pipeline.classify(context, scoring, work)
            taken = time.process_time() - started
            yield {
                "with SQL": 1000 * taken / (len(some) * PHOTOS),
                "photos alone": _photos_alone(context, scoring, others),
            }
            for work in others:
                pipeline.classify(context, scoring, work)


@contextmanager
def _system(folder: Path, url: str) -> Iterator[tuple[Deployment, Context]]:
    """A broker, settings for a store of photos in a folder, and what a process of ours holds with them."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    with deployment(folder, url, store=photos, quiet_period=0, log_level="WARNING") as system:
        values = {name.removeprefix("WALKAROUND_").lower(): value for name, value in system.environment.items()}
        settings = load_settings(**{name: value for name, value in values.items() if name in Settings.model_fields})
        yield system, held(make_app(settings)).context


def _make_sets(folder: Path, name: str, sets: int) -> None:
    """Sets of ten tiny files, each of a content of its own."""
    for number in range(sets):
        place = folder / "photos" / "returns" / name / f"V{number:05d}" / "2026-11-20-0900"
        place.mkdir(parents=True)
        for photo in range(PHOTOS):
            (place / f"{photo:02d}.jpg").write_bytes(f"{name} {number} {photo}".encode())


def _wait_for_verdicts(sessions: Sessions, sets: int) -> None:
    def count() -> int:
        with sessions() as session:
            return session.scalar(text("SELECT count(*) FROM verdict")) or 0

    wait_until(lambda: count() >= sets, 120, lambda: f"{count()} of {sets} sets have a verdict")


def _cpu(process: int) -> float:
    """CPU seconds of a process and its children so far, those that have ended too."""
    place = Path(f"/proc/{process}")
    after_name = (place / "stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in after_name[11:15])  # user and system, of itself and of children that ended
    children = [child for task in place.glob("task/*/children") for child in task.read_text().split()]
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_cpu(int(child)) for child in children)


def _photos_alone(context: Context, scoring: Scoring, due: Sequence[repositories.WorkKey]) -> float:
    """CPU milliseconds a photo of reading, hashing, judging and packing what was learnt; the claims are not counted."""
    claims = [repositories.claim(context.sessions, work, timedelta(minutes=5), 5) for work in due]
    started = time.process_time()
    for claim in claims:
        assert claim is not None
        score_photos(context, scoring, claim)
    taken = time.process_time() - started
    for claim in claims:
        assert claim is not None
        repositories.release(context.sessions, claim, timedelta(0), "measured only")
    return 1000 * taken / (len(due) * PHOTOS)


def _photo_costs(size: Size) -> dict[str, Spread]:
    """CPU milliseconds of one photo of 12 megapixels: decoding, network, and bringing it from disk to the decoder."""
    photos = list(photographs(size.photographs))
    artefact = open_artefact(SHIPPED_MODEL)
    plan, one = artefact.card.input.plan, ViewPlan()
    shipped = BatchingClassifier(artefact)
    views = [load_photo(data, plan).views for data in photos]
    shipped.classify(views)
    engine = load_engine(artefact, precision="bfloat16", batch_size=len(photos))
    whole = np.concatenate([load_photo(data, one).views for data in photos])
    engine.run(whole)
    runs: dict[str, Callable[[], object]] = {
        "decode": lambda: [load_photo(data, plan) for data in photos],
        "network": lambda: shipped.classify(views),
        "decode, one view": lambda: [load_photo(data, one) for data in photos],
        "network, one view in bfloat16": lambda: engine.run(whole),
        "hash": lambda: [hashlib.sha256(data).digest() for data in photos],
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(size.rounds):
        for name, run in runs.items():
            started = time.process_time()
            run()
            taken[name].append(1000 * (time.process_time() - started) / len(photos))
    shipped.close()
    return {name: spread(values) for name, values in taken.items()}


def _measured(costs: dict[str, Spread], queued: list[Step], plain: list[Step]) -> Measured:
    whole = {name: spread([step[name] for step in queued]) for name in queued[0]}
    alone = {name: spread([step[name] for step in plain]) for name in plain[0]}
    bookkeeping = alone["photos alone"].median
    sql_client = alone["with SQL"].median - bookkeeping
    celery = whole["worker"].median - alone["with SQL"].median
    queue_and_sql = celery + whole["broker"].median + sql_client + whole["server"].median
    everything = sum(part.median for part in whole.values())
    photo = costs["decode"].median + costs["network"].median
    leanest = costs["decode, one view"].median + costs["network, one view in bfloat16"].median
    rows: list[tuple[object, ...]] = [
        ("Celery: the worker beyond what it does without a queue", celery),
        ("the broker (Valkey)", whole["broker"]),
        ("SQL in the worker", sql_client),
        ("SQL in the server (PostgreSQL), intake and scoring", whole["server"]),
        ("reading, judging and packing in the worker", bookkeeping),
        ("intake: the scan's process, listing to ring", whole["scan"]),
        ("queue and SQL together", queue_and_sql),
        ("all together", everything),
    ]
    shares = [
        (*row, 100 * value / (photo + everything), 100 * value / (leanest + everything))
        for row, value in ((row, row[1].median if isinstance(row[1], Spread) else float(str(row[1]))) for row in rows)
    ]
    columns = ("CPU of a photo", "ms", "% of the shipped model's photo", "% with one view in bfloat16")
    times = list(costs.items())
    return Measured(
        tables=[
            Table(columns, shares, "What a photo costs besides decoding and network"),
            Table(("CPU of a photo of 12 megapixels", "ms"), times, "What it is a share of"),
        ],
        notes=[f"{PHOTOS} photos a set, a message a set. All processes are on the same cores; PostgreSQL is durable."],
        figures={
            "queue_and_sql_share": queue_and_sql / (photo + everything),
            "overhead_share": everything / (photo + everything),
            "queue_and_sql_share_one_view": queue_and_sql / (leanest + everything),
            "overhead_share_one_view": everything / (leanest + everything),
            "queued": queued,
            "plain": plain,
        },
    )


if __name__ == "__main__":
    found = measure("--small" in sys.argv)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(asdict(found), indent=2, default=str) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text())
