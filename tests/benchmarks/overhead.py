"""What a photo costs besides its decoding and its model: queue, SQL and bookkeeping, in CPU time of all processes.

A real worker process, PostgreSQL and Valkey do everything to tiny photos in a folder, with a decoder and a network that
cost nothing (free_worker.py), and the CPU time of each process is read before and after. The same sets handled in this
process without a queue, and their photos handled without SQL too, say which part is whose. Beside it stand decoding
and network on photos of 12 megapixels, in the same run.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import redis

from core.domain import ViewPlan
from core.model.artefact import open_artefact
from core.model.engine import load_engine
from core.model.inference import BatchingClassifier
from core.model.precision import has_bfloat16
from core.photos.decode import load_photo
from core.settings import SHIPPED_MODEL
from db import transactions
from tests.benchmarks.deployed import PHOTOS, Deployed, cpu_seconds, deployed, durable_postgresql
from tests.benchmarks.free_worker import free_scoring
from tests.benchmarks.measured import Measured, Spread, Table, spread
from tests.benchmarks.photographs import photographs
from tests.benchmarks.whole_run import Variant, model_for
from tests.databases import PostgreSQLServer
from tests.photo_sets import all_due
from workers import pipeline
from workers.context import Context, Scoring
from workers.scoring import score_set

WARM_UP = 5  # sets
LEAN: Literal["bfloat16", "float32"] = "bfloat16" if has_bfloat16() else "float32"  # the cheapest that this machine has
FREE = (sys.executable, "-m", "tests.benchmarks.free_worker")
_PATIENCE_S = 120.0
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
    with durable_postgresql() as server:
        queued = list(_through_the_queue(server, size))
        plain = list(_without_a_queue(server, size))
    return _measured(_photo_costs(size), queued, plain)


def _through_the_queue(server: PostgreSQLServer, size: Size) -> Iterator[Step]:
    """CPU milliseconds a photo by process, from the listing to the verdict."""
    with deployed(server, "queued", log_level="WARNING") as site:
        free_scoring(site.context.settings, site.context.sessions)  # without an active model no work would be opened
        site.system.start("worker", "worker", "--queues", "classify", program=FREE)
        broker = redis.Redis.from_url(site.context.settings.broker_url.get_secret_value()).info()["process_id"]
        watched = {"worker": site.system.processes["worker"].pid, "server": server.pid, "broker": broker}
        _upload(site, "warm-up", WARM_UP)
        pipeline.scan(site.context)
        site.wait_for_verdicts("warm-up", WARM_UP, _PATIENCE_S)
        for number in range(size.rounds):
            _upload(site, f"round-{number}", size.sets)
            before, started = {name: cpu_seconds(pid) for name, pid in watched.items()}, time.process_time()
            pipeline.scan(site.context)
            scanned = time.process_time() - started
            site.wait_for_verdicts(f"round-{number}", size.sets, _PATIENCE_S)
            spent = {"scan": scanned} | {name: cpu_seconds(pid) - before[name] for name, pid in watched.items()}
            yield {name: 1000 * seconds / (size.sets * PHOTOS) for name, seconds in spent.items()}


def _without_a_queue(server: PostgreSQLServer, size: Size) -> Iterator[Step]:
    """The same sets in this process: half of them with SQL, and the photos of the others alone."""
    with deployed(server, "plain", log_level="WARNING") as site:
        context = site.context
        scoring = free_scoring(context.settings, context.sessions)
        for number in range(size.rounds):
            _upload(site, f"round-{number}", size.sets)
            pipeline.scan(context)
            due = [work for work, _ in all_due(context.sessions, timedelta(seconds=-1))]
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


def _upload(site: Deployed, fleet: str, sets: int) -> None:
    """Returns of tiny files."""
    for number in range(sets):
        site.upload(fleet, number)


def _photos_alone(context: Context, scoring: Scoring, due: Sequence[transactions.WorkKey]) -> float:
    """CPU milliseconds a photo of reading, hashing, judging and packing what was learnt; the claims are not counted."""
    claims = [transactions.claim(context.sessions, work, timedelta(minutes=5), 5) for work in due]
    started = time.process_time()
    for claim in claims:
        assert claim is not None
        score_set(context, scoring, claim)
    taken = time.process_time() - started
    for claim in claims:
        assert claim is not None
        transactions.release(context.sessions, claim, timedelta(0), "measured only")
    return 1000 * taken / (len(due) * PHOTOS)


def _photo_costs(size: Size) -> dict[str, Spread]:
    """CPU milliseconds of one photo of 12 megapixels: decoding, network, and bringing it from disk to the decoder."""
    photos = list(photographs(size.photographs))
    artefact = open_artefact(SHIPPED_MODEL)
    plan, at_224 = artefact.card.input.plan, ViewPlan()
    shipped = BatchingClassifier(artefact)
    views = [load_photo(data, plan).views for data in photos]
    shipped.classify(views)
    lean = open_artefact(model_for(Variant(at_224=True, precision=LEAN)))
    engine = load_engine(lean, precision=LEAN, batch_size=len(photos))
    whole = np.concatenate([load_photo(data, at_224).views for data in photos])
    engine.run(whole)
    runs: dict[str, Callable[[], object]] = {
        "decode": lambda: [load_photo(data, plan) for data in photos],
        "network": lambda: shipped.classify(views),
        "decode, at 224": lambda: [load_photo(data, at_224) for data in photos],
        f"network, at 224 in {LEAN}": lambda: engine.run(whole),
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
    leanest = costs["decode, at 224"].median + costs[f"network, at 224 in {LEAN}"].median
    rows: list[tuple[object, ...]] = [
        ("Celery: the worker beyond what it does without a queue", celery),
        ("the broker (Valkey)", whole["broker"]),
        ("SQL in the worker", sql_client),
        ("SQL in the server (PostgreSQL), intake and scoring", whole["server"]),
        ("reading, judging and packing in the worker", bookkeeping),
        ("intake: the scan's process, listing to message", whole["scan"]),
        ("queue and SQL together", queue_and_sql),
        ("all together", everything),
    ]
    shares = [
        (*row, 100 * value / (photo + everything), 100 * value / (leanest + everything))
        for row, value in ((row, row[1].median if isinstance(row[1], Spread) else float(str(row[1]))) for row in rows)
    ]
    columns = ("CPU of a photo", "ms", "% of the shipped model's photo", f"% with one at 224 in {LEAN}")
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
            "queue_and_sql_share_at_224": queue_and_sql / (leanest + everything),
            "overhead_share_at_224": everything / (leanest + everything),
            "queued": queued,
            "plain": plain,
        },
    )
